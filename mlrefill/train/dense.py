"""Trains a small dense forecaster of the next second and exports it as .tflite.

    python3 -m venv VENV && VENV/bin/pip install tensorflow-cpu
    VENV/bin/python mlrefill/train/dense.py testdata/traces/*.csv.gz -o mlrefill/tflite/testdata/dense.tflite

Inputs are the eight features of mlrefill.Features, output is the next second's
requests over the same unit. The features are computed here as they are there:
last second, the one before, averages over 1, 4, 16 and 64 seconds, Holt's level,
and the slow average (256 s), divided by the slow average plus 0.3.
"""

import argparse
import collections
import csv
import gzip
import json

import numpy as np
import tensorflow as tf

TAUS = (1, 4, 16, 64, 256)
UNIT_FLOOR, CLIP = 0.3, 16
HOLT_LEVEL, HOLT_TREND, HOLT_DAMP = 0.5, 0.1, 0.8


def series(path):
    """Requests a second: of each id, and of all together."""
    rows = collections.defaultdict(lambda: collections.Counter())
    with gzip.open(path, "rt") as f:
        reader = csv.reader(f)
        header = next(reader)
        for row in reader:
            second, count = int(float(row[0])), float(row[-1])
            rows["all"][second] += count
            if len(header) == 3:
                rows[row[1]][second] += count
    end = max(rows["all"]) + 1
    for counts in rows.values():
        yield np.array([counts[s] for s in range(end)])


def examples(y):
    decay = np.exp(-1 / np.array(TAUS, dtype=float))
    ladder = np.full(len(TAUS), y[0])
    level, trend, previous = y[0], 0.0, y[0]
    for i in range(1, len(y) - 1):
        ladder = decay * ladder + (1 - decay) * y[i]
        ahead = level + HOLT_DAMP * trend
        new = ahead + HOLT_LEVEL * (y[i] - ahead)
        trend = (1 - HOLT_TREND) * HOLT_DAMP * trend + HOLT_TREND * (new - level)
        level = new
        slow = ladder[-1]
        if slow > 1e-3 and i > 60:
            unit = slow + UNIT_FLOOR
            x = [y[i], previous, *ladder[:4], max(level + HOLT_DAMP * trend, 0), slow]
            yield np.clip(np.array(x) / unit, 0, CLIP), min(y[i + 1] / unit, CLIP)
        previous = y[i]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", nargs="+")
    parser.add_argument("-o", required=True)
    args = parser.parse_args()
    tf.keras.utils.set_random_seed(1)
    pairs = [e for path in args.traces for y in series(path) for e in examples(y)]
    x = np.array([p[0] for p in pairs], dtype=np.float32)
    y = np.array([p[1] for p in pairs], dtype=np.float32)
    net = tf.keras.Sequential([
        tf.keras.Input((8,)),
        tf.keras.layers.Dense(16, activation="relu"),
        tf.keras.layers.Dense(8, activation="relu"),
        tf.keras.layers.Dense(1),
    ])
    net.compile(optimizer=tf.keras.optimizers.Adam(2e-3), loss="mse")
    net.fit(x, y, epochs=4, batch_size=256, verbose=2)
    print("mse", float(np.mean((net(x).numpy()[:, 0] - y) ** 2)), "of last second's", float(np.mean((x[:, 0] - y) ** 2)))
    with open(args.o, "wb") as f:
        f.write(tf.lite.TFLiteConverter.from_keras_model(net).convert())
    reference(args.o)


def reference(path):
    """What TensorFlow Lite itself makes of some inputs, for the reader's test."""
    runner = tf.lite.Interpreter(path)
    runner.allocate_tensors()
    random = np.random.default_rng(1)
    cases = []
    for _ in range(20):
        x = random.gamma(1, 1, 8).astype(np.float32)
        runner.set_tensor(runner.get_input_details()[0]["index"], x[None])
        runner.invoke()
        y = runner.get_tensor(runner.get_output_details()[0]["index"])[0, 0]
        cases.append({"x": [float(v) for v in x], "y": float(y)})
    with open(path + ".json", "w") as f:
        json.dump(cases, f, indent=1)


if __name__ == "__main__":
    main()
