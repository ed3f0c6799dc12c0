// Package boot runs the scripts of the user data with everything around them
// made up: the AWS CLI, instance metadata, disks, systemd. The scripts are the
// real ones.
package boot

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const scripts = "../../modules/user-data/files"

// host is an instance that does not exist.
type host struct {
	t    *testing.T
	dir  string
	env  []string
	code int
	out  string
}

// newHost knows its metadata and nothing else. Every fake notes how it was
// called in calls.
func newHost(t *testing.T, env string) *host {
	t.Helper()
	h := &host{t: t, dir: t.TempDir()}
	lib, err := filepath.Abs(scripts)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"bin", "devices", "run"} {
		if err := os.Mkdir(filepath.Join(h.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.write("aws.env", env)
	h.env = []string{
		"PATH=" + h.path("bin") + ":/usr/bin:/bin", "CALLS=" + h.path("calls"), "STATE=" + h.path("state"),
		"CLAWD_LIB=" + lib, "CLAWD_AWS_ENV=" + h.path("aws.env"), "RUN_DIR=" + h.path("run"),
		"DEVICES=" + h.path("devices"), "PATIENCE=3", "PAUSE=0",
	}
	h.fake("curl", `
case "$*" in
*api/token*) echo token ;;
*instance-id) echo i-self ;;
*availability-zone) echo eu-central-1b ;;
*placement/region) echo eu-central-1 ;;
*target-lifecycle-state) echo "${TARGET:-InService}" ;;
*/metrics) cat "$METRICS_FILE" ;;
*) exit 22 ;;
esac`)
	return h
}

func (h *host) path(name string) string { return filepath.Join(h.dir, name) }

func (h *host) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(h.path(name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) read(name string) string {
	h.t.Helper()
	text, err := os.ReadFile(h.path(name))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// fake puts a command on the host's path.
func (h *host) fake(name, body string) {
	h.t.Helper()
	text := "#!/usr/bin/env bash\necho \"" + name + " $*\" >>\"$CALLS\"\n" + body + "\n"
	if err := os.WriteFile(h.path("bin/"+name), []byte(text), 0o755); err != nil {
		h.t.Fatal(err)
	}
}

// run runs a script to its end.
func (h *host) run(script string, args ...string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", append([]string{filepath.Join(scripts, script)}, args...)...)
	cmd.Env = h.env
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	h.out, h.code = string(out), cmd.ProcessState.ExitCode()
	if cmd.ProcessState == nil {
		h.t.Fatal(err)
	}
}

// calls are the calls of a command, in order.
func (h *host) calls(command string) (lines []string) {
	text, _ := os.ReadFile(h.path("calls"))
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, command) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func (h *host) succeeds(script string, args ...string) {
	h.t.Helper()
	h.run(script, args...)
	if h.code != 0 {
		h.t.Fatalf("%s ended with %d:\n%s", script, h.code, h.out)
	}
}

const clusterEnv = "CLUSTER='prod'\nGROUP='prod'\nDATA_DIR='/var/lib/clawd'\n" +
	"LAUNCH_HOOK='ready'\nTERMINATE_HOOK='drained'\nSECRETS='gossip.key=/clawd/prod/gossip-key\ntls.pem=/clawd/prod/tls'\n"

// diskHost has two volumes in its zone, neither attached.
func diskHost(t *testing.T) *host {
	h := newHost(t, clusterEnv)
	h.fake("mountpoint", "exit 1")
	h.fake("mkdir", "exit 0")
	h.fake("mount", "exit 0")
	h.fake("mkfs.ext4", "exit 0")
	h.fake("blkid", "echo ext4")
	h.fake("aws", `
case "$*" in
*describe-volumes*attachment.instance-id*) echo None ;;
*describe-volumes*) printf 'vol-taken\tvol-free\n' ;;
*attach-volume*vol-taken*) echo "VolumeInUse" >&2; exit 254 ;;
esac`)
	h.write("devices/nvme-Amazon_Elastic_Block_Store_volfree", "")
	h.write("devices/nvme-Amazon_Elastic_Block_Store_volmine", "")
	return h
}

func TestClaimVolumeTakesTheNextWhenOneIsTaken(t *testing.T) {
	h := diskHost(t)
	h.succeeds("claim-volume")
	want := "mount -o noatime,nodev,nosuid,noexec " + h.path("devices/nvme-Amazon_Elastic_Block_Store_volfree") + " /var/lib/clawd"
	if got := h.calls("mount "); !slices.Equal(got, []string{want}) {
		t.Errorf("mounted %q, want %q", got, want)
	}
	if got := h.calls("mkfs"); len(got) != 0 {
		t.Errorf("formatted a volume with data: %q", got)
	}
	if asked := h.calls("aws ec2 describe-volumes"); !strings.Contains(asked[0], "Name=tag:clawd-cluster,Values=prod") ||
		!strings.Contains(asked[0], "Name=availability-zone,Values=eu-central-1b") {
		t.Errorf("asked for volumes of others: %q", asked[0])
	}
}

func TestClaimVolumeKeepsItsOwn(t *testing.T) {
	h := diskHost(t)
	h.fake("aws", `case "$*" in *attachment.instance-id,Values=i-self*) echo vol-mine ;; esac`)
	h.succeeds("claim-volume")
	if got := h.calls("aws ec2 attach-volume"); len(got) != 0 {
		t.Errorf("attached a second volume: %q", got)
	}
	if got := h.calls("mount "); len(got) != 1 || !strings.Contains(got[0], "volmine") {
		t.Errorf("mounted %q", got)
	}
}

func TestClaimVolumeIsDoneWhenMounted(t *testing.T) {
	h := diskHost(t)
	h.fake("mountpoint", "exit 0")
	h.succeeds("claim-volume")
	if got := h.calls("aws"); len(got) != 0 {
		t.Errorf("asked AWS for nothing: %q", got)
	}
}

func TestClaimVolumeGivesUpWithoutAFreeOne(t *testing.T) {
	h := diskHost(t)
	h.fake("aws", `case "$*" in *describe-volumes*) echo None ;; esac`)
	h.run("claim-volume")
	if h.code == 0 || !strings.Contains(h.out, "no free volume of prod in eu-central-1b") {
		t.Errorf("ended with %d:\n%s", h.code, h.out)
	}
	if got := h.calls("mount "); len(got) != 0 {
		t.Errorf("mounted %q", got)
	}
}

func TestMountVolumeFormatsWhatIsBlank(t *testing.T) {
	h := diskHost(t)
	h.fake("blkid", "exit 2")
	h.succeeds("mount-volume", "vol-free", "/var/lib/clawd")
	if got := h.calls("mkfs.ext4"); len(got) != 1 {
		t.Errorf("formatted %d times", len(got))
	}
}

func TestMountVolumeLeavesAloneWhatItCannotRead(t *testing.T) {
	h := diskHost(t)
	h.fake("blkid", "exit 8")
	h.run("mount-volume", "vol-free", "/var/lib/clawd")
	if h.code == 0 || len(h.calls("mkfs")) != 0 || len(h.calls("mount ")) != 0 {
		t.Errorf("ended with %d after %q %q", h.code, h.calls("mkfs"), h.calls("mount "))
	}
}

func TestMountVolumeWaitsForTheDevice(t *testing.T) {
	h := diskHost(t)
	h.run("mount-volume", "vol-gone", "/var/lib/clawd")
	if h.code == 0 || !strings.Contains(h.out, "did not appear") {
		t.Errorf("ended with %d:\n%s", h.code, h.out)
	}
}

func TestFetchSecretsWritesEachForTheServiceAlone(t *testing.T) {
	h := newHost(t, clusterEnv)
	h.fake("aws", `case "$*" in */gossip-key*) echo key ;; */tls*) echo cert ;; esac`)
	h.succeeds("fetch-secrets")
	for file, want := range map[string]string{"run/gossip.key": "key\n", "run/tls.pem": "cert\n"} {
		if got := h.read(file); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
		if info, err := os.Stat(h.path(file)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
}

func TestFetchSecretsKeepsWhatItHasWhenItCannotRead(t *testing.T) {
	h := newHost(t, clusterEnv)
	h.write("run/gossip.key", "old\n")
	h.fake("aws", "exit 255")
	h.run("fetch-secrets")
	if h.code == 0 || h.read("run/gossip.key") != "old\n" {
		t.Errorf("ended with %d and %q", h.code, h.read("run/gossip.key"))
	}
}

func TestLifecycleDrainsBeforeItLetsGo(t *testing.T) {
	h := newHost(t, clusterEnv)
	h.env = append(h.env, "TARGET=Terminated")
	for _, name := range []string{"aws", "systemctl", "umount", "clawd"} {
		h.fake(name, "exit 0")
	}
	h.succeeds("lifecycle")
	text := h.read("calls")
	stop, gone := strings.Index(text, "systemctl stop clawd.service"), strings.Index(text, "--lifecycle-hook-name drained")
	if stop < 0 || gone < stop {
		t.Errorf("let go before draining:\n%s", text)
	}
	if strings.Contains(text, "--lifecycle-hook-name ready") {
		t.Errorf("called a leaving node ready:\n%s", text)
	}
}

func TestLifecycleSaysReadyWhenTheNodeIs(t *testing.T) {
	h := newHost(t, clusterEnv)
	// Not ready at first; once it has been reported, the group takes it away.
	h.fake("curl", `case "$*" in */api/token*) echo token ;; *region) echo r ;; *instance-id) echo i-self ;;
*target-lifecycle-state) if [ -e "$STATE.reported" ]; then echo Terminated; else echo InService; fi ;; esac`)
	h.fake("clawd", `[ -e "$STATE" ] || { touch "$STATE"; exit 1; }`)
	h.fake("aws", `case "$*" in *"hook-name ready"*) touch "$STATE.reported" ;; esac`)
	h.fake("systemctl", "exit 0")
	h.fake("umount", "exit 0")
	h.succeeds("lifecycle")
	got := h.calls("aws autoscaling")
	if len(got) != 2 || !strings.Contains(got[0], "--lifecycle-hook-name ready --lifecycle-action-result CONTINUE") {
		t.Errorf("answered %q", got)
	}
}

func TestPublishLoadSendsTheRate(t *testing.T) {
	h := newHost(t, clusterEnv)
	h.write("metrics", "# TYPE clawd_http_requests_total counter\n"+
		"clawd_http_requests_total{code=\"200\"} 1000\nclawd_http_requests_total{code=\"429\"} 200\nclawd_http_requests_in_flight 3\n")
	h.write("run/requests", "100 0\n")
	h.env = append(h.env, "METRICS_FILE="+h.path("metrics"), "NOW=160")
	h.fake("aws", "exit 0")
	h.succeeds("publish-load")
	if got := h.calls("aws"); len(got) != 1 || !strings.Contains(got[0], "--value 20.000 --dimensions AutoScalingGroupName=prod") {
		t.Errorf("published %q", got)
	}
	h.env = append(h.env, "NOW=220")
	h.write("metrics", "clawd_http_requests_total{code=\"200\"} 7\n") // restarted
	h.succeeds("publish-load")
	if got := h.calls("aws"); len(got) != 1 {
		t.Errorf("published a rate across a restart: %q", got)
	}
}

func TestInstallPackageRefusesAnotherSum(t *testing.T) {
	h := newHost(t, clusterEnv)
	h.fake("curl", `while [ $# -gt 0 ]; do [ "$1" = -o ] && printf package >"$2"; shift; done`)
	h.fake("rpm", "exit 0")
	h.run("install-package", "https://x/clawd.rpm", strings.Repeat("0", 64))
	if h.code == 0 || len(h.calls("rpm")) != 0 {
		t.Errorf("installed a package of unknown sum: %d %s", h.code, h.out)
	}
	h.succeeds("install-package", "https://x/clawd.rpm", sumOfPackage)
	if len(h.calls("rpm")) != 1 {
		t.Errorf("did not install: %s", h.out)
	}
}

// sumOfPackage is the SHA-256 of "package".
const sumOfPackage = "bc4a71180870f7945155fbb02f4b0a2e3faa2a62d6d31b7039013055ed19869a"
