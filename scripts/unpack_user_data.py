"""Writes the files of a cloud-config where a machine would have them: unpack_user_data.py USER-DATA DIRECTORY."""

import pathlib
import sys

import yaml


def main(user_data: str, directory: str) -> None:
    config = yaml.safe_load(pathlib.Path(user_data).read_text())
    for entry in config["write_files"]:
        path = pathlib.Path(directory + entry["path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(entry["content"])
        path.chmod(int(entry["permissions"], 8))


main(*sys.argv[1:])
