"""make bench-peers: the training steps of `bench`, and the same work in PyTorch and JAX, side by side in one run; and its probes beside NumPy's lstsq.

    python3 peers.py BENCH OUT.json [threads=1,2] [only=NAME] [steps=N]

BENCH is the built benchmark program. Every program is held to as many CPUs as it may use threads, and they take turns, so that each meets the same
machine. Prints milliseconds per step and how many times faster the library is; OUT.json holds the same."""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
HEADS, KEY, WIDTH, LENGTH, BATCH = 4, 20, 40, 50, 256
WORKLOADS = [("lsa1_step", "linear", 1), ("lsa2_step", "linear", 2), ("lsa6_step", "linear", 6), ("softmax7_step", "softmax", 7)]
PEERS = [("PyTorch", "peer_torch.py"), ("JAX", "peer_jax.py")]
PROBES = [7, 40, 10, 50, 256]                          # layers, features, targets, steps, sequences


def held_to(cpus):
    return lambda: os.sched_setaffinity(0, cpus)


def ours(bench, name, cpus, dtype="f32"):
    """Milliseconds of one workload of the benchmark program at the best ISA level."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "bench.json")
        done = subprocess.run([bench, f"only={name}", "isa=auto", f"threads={len(cpus)}", f"out={out}"], preexec_fn=held_to(cpus),
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        with open(out) as f:
            found = [r for r in json.load(f) if r["name"] == name and r["dtype"] == dtype and r["threads"] == len(cpus)]
    if not found:
        sys.exit(f"peers.py: {bench} has no workload {name}")
    return 1e3 * min(r["seconds"] for r in found)


def theirs(script, arguments, cpus):
    """Milliseconds per repetition of a peer; None when it cannot run here."""
    done = subprocess.run([sys.executable, os.path.join(HERE, script), *map(str, arguments)], preexec_fn=held_to(cpus), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode:
        print(f"{script}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}", file=sys.stderr)
        return None
    return float(done.stdout.split()[-1])


def beside_numpy(bench, settings, all_cpus):
    """All probes of a model, against a loop over numpy.linalg.lstsq."""
    results = []
    for threads in map(int, settings["threads"].split(",")):
        if settings["only"] not in ("", "probe_fit") or threads > len(all_cpus):
            continue
        if not results:
            print(f"{'name':14s} {'threads':>7s} {'ours, ms':>9s} {'NumPy, ms':>12s} {'ratio':>6s}")
        cpus = set(all_cpus[:threads])
        mine, ms = ours(bench, "probe_fit", cpus, "f64"), theirs("peer_numpy.py", PROBES, cpus)
        results.append({"name": "probe_fit", "threads": threads, "ours_ms": mine, "numpy_ms": ms})
        print(f"{'probe_fit':14s} {threads:7d} {mine:9.2f} " + (f"{ms:12.2f} {ms / mine:6.1f}" if ms else f"{'-':>12s} {'-':>6s}"), flush=True)
    return results


def main():
    settings = {"threads": "1,2", "only": "", "steps": "20"}
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    for argument in sys.argv[3:]:
        name, _, value = argument.partition("=")
        if name not in settings:
            sys.exit(f"peers.py: unknown argument {argument}; known: {', '.join(settings)}")
        settings[name] = value
    all_cpus = sorted(os.sched_getaffinity(0))
    results = []
    if settings["only"] != "probe_fit":
        print(f"{'name':14s} {'threads':>7s} {'ours, ms':>9s}" + "".join(f"{peer + ', ms':>13s} {'ratio':>6s}" for peer, _ in PEERS))
    for name, kind, layers in WORKLOADS:
        for threads in map(int, settings["threads"].split(",")):
            if settings["only"] not in ("", name) or threads > len(all_cpus):
                continue
            cpus = set(all_cpus[:threads])
            result = {"name": name, "threads": threads, "ours_ms": ours(sys.argv[1], name, cpus)}
            line = f"{name:14s} {threads:7d} {result['ours_ms']:9.2f}"
            for peer, script in PEERS:
                ms = theirs(script, [kind, layers, HEADS, KEY, WIDTH, LENGTH, BATCH, settings["steps"], threads], cpus)
                result[peer.lower() + "_ms"] = ms
                line += f"{ms:13.2f} {ms / result['ours_ms']:6.1f}" if ms else f"{'-':>13s} {'-':>6s}"
            results.append(result)
            print(line, flush=True)
    results += beside_numpy(sys.argv[1], settings, all_cpus)
    with open(sys.argv[2], "w") as f:
        json.dump(results, f, indent=1)


main()
