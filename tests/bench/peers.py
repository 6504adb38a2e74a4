"""make bench-peers: workloads of `bench`, and the same work in PyTorch, JAX, flash-linear-attention and NumPy, side by side in one run.

    python3 peers.py BENCH OUT.json [threads=1,2] [only=NAME] [steps=N] [isa=LEVEL]

BENCH is the built benchmark program. Every program is held to as many CPUs as it may use threads, and they take turns, so that each meets the same
machine. Prints milliseconds per step and how many times faster the library is; OUT.json holds the same."""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
STEP = [4, 20, 40, 50, 256]                            # heads, key, width, length, sequences
LONG, WIDE = [4, 20, 40, 224, 128], [4, 64, 256, 256, 16]


def training(name, kind, layers, step=STEP):
    """Peers train the attention alone: without embedding, positions and read-out where ours has them."""
    return name, "f32", [(peer, script, [kind, layers, *step]) for peer, script in (("PyTorch", "peer_torch.py"), ("JAX", "peer_jax.py"))]


def mesa(direction, key):
    return f"mesa_{direction}_d{key}", "f32", [("fla", "peer_fla.py", [direction, 2048, 8, key])]


# A workload of the benchmark program, its type, and its peers: name, script and arguments; `steps` and the number of threads follow.
WORKLOADS = [training("lsa1_step", "linear", 1), training("lsa2_step", "linear", 2), training("lsa6_step", "linear", 6), training("tf7_step", "softmax", 7),
             training("tf7_step_t224", "softmax", 7, LONG), training("lm_block_step", "softmax", 4, WIDE), training("mesa1_step", "mesa", 1), *(mesa(direction, key) for key in (64, 128) for direction in ("fwd", "fwdbwd")),
             ("probe_fit", "f64", [("NumPy", "peer_numpy.py", [7, 40, 10, 50, 256])])]        # layers, features, targets, steps, sequences


def held_to(cpus):
    return lambda: os.sched_setaffinity(0, cpus)


def ours(bench, name, cpus, dtype, isa):
    """Milliseconds of one workload of the benchmark program."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "bench.json")
        done = subprocess.run([bench, f"only={name}", f"isa={isa}", f"threads={len(cpus)}", f"out={out}"], preexec_fn=held_to(cpus),
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


def streaming(bench, settings, cpus):
    """stream_rls, which was built beside the benchmark program, and a NumPy loop over the same file."""
    program = os.path.join(os.path.dirname(bench), "stream_rls")
    if settings["only"] not in ("", "stream_rls"):
        return []
    done = subprocess.run([sys.executable, os.path.join(HERE, "peer_stream.py"), program, "1000000", "20", "%.6f", "1", f"isa={settings['isa']}"],
                          preexec_fn=held_to(cpus), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit("peers.py: peer_stream.py failed")
    mine, its = (1e3 * float(word) for word in done.stdout.split())
    print(f"{'stream_rls':17s} {len(cpus):7d} {mine:10.2f} {'NumPy':>8s} {its:10.2f} {its / mine:6.1f}", flush=True)
    return [{"name": "stream_rls", "threads": len(cpus), "peer": "NumPy", "ours_ms": mine, "its_ms": its}]


def main():
    settings = {"threads": "1,2", "only": "", "steps": "20", "isa": "auto"}
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    for argument in sys.argv[3:]:
        name, _, value = argument.partition("=")
        if name not in settings:
            sys.exit(f"peers.py: unknown argument {argument}; known: {', '.join(settings)}")
        settings[name] = value
    all_cpus = sorted(os.sched_getaffinity(0))
    results = []
    print(f"{'name':17s} {'threads':>7s} {'ours, ms':>10s} {'peer':>8s} {'its, ms':>10s} {'ratio':>6s}")
    for name, dtype, peers in WORKLOADS:
        for threads in map(int, settings["threads"].split(",")):
            if settings["only"] not in ("", name) or threads > len(all_cpus):
                continue
            cpus = set(all_cpus[:threads])
            mine = ours(sys.argv[1], name, cpus, dtype, settings["isa"])
            for peer, script, arguments in peers:
                ms = theirs(script, [*arguments, settings["steps"], threads], cpus)
                results.append({"name": name, "threads": threads, "peer": peer, "ours_ms": mine, "its_ms": ms})
                print(f"{name:17s} {threads:7d} {mine:10.2f} {peer:>8s} " + (f"{ms:10.2f} {ms / mine:6.1f}" if ms else f"{'-':>10s} {'-':>6s}"), flush=True)
    results += streaming(sys.argv[1], settings, set(all_cpus[:1]))
    with open(sys.argv[2], "w") as f:
        json.dump(results, f, indent=1)


main()
