"""redis-server under load, jemalloc inside: it answers as it does without allot."""

import os
import shutil
import signal
import socket
import subprocess

from endings import wait_until
from harness import expect, need, text

COMMANDS = "\n".join(
    ["FLUSHALL"]
    + [f"SET key:{i} value-{i * 7919 % 1009}" for i in range(200)]
    + [f"LPUSH list {i} {i * i}" for i in range(200)]
    + [f"ZADD ranks {i * 31 % 97} member:{i}" for i in range(100)]
    + ["APPEND key:1 more", "STRLEN key:1", "LRANGE list 0 20", "ZRANGE ranks 0 -1 WITHSCORES", "INCR n",
       "GET key:7", "DBSIZE", "SETRANGE big 100000 end", "STRLEN big", "DEL big", "HGETALL none",
       "LINDEX nothing x", "SORT list LIMIT 0 5", ""])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def server_program(bench):
    """redis-server, or the same executable as redis-tools ships it: Debian's redis-check-rdb goes by its name."""
    found = shutil.which("redis-server")
    if found is None:
        need("redis-check-rdb")
        found = bench.work / "redis-server"
        found.unlink(missing_ok=True)
        found.symlink_to(shutil.which("redis-check-rdb"))
    return str(found)


def serve(bench, prefix):
    """One life of a server. Answers (replies, exit code)."""
    port = free_port()
    command = [server_program(bench), "--port", port, "--bind", "127.0.0.1", "--save", "",
               "--appendonly", "no"]
    server = subprocess.Popen([*prefix, *command], env=bench.environment(), cwd=bench.work,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              start_new_session=True)
    client = ["redis-cli", "-p", port]
    try:
        wait_until(lambda: bench.run([*client, "PING"]).out == b"PONG\n" or server.poll() is not None,
                   "redis-server")
        expect(server.poll() is None, "redis-server did not start")
        feed = bench.work / "commands"
        feed.write_text(COMMANDS)
        replies = bench.run(client, stdin=feed)
        expect(replies.code == 0, f"redis-cli: {text(replies.err)}")
        count = "40000" if bench.thorough else "10000"
        load = bench.run(["redis-benchmark", "-p", port, "-q", "-n", count, "-r", "10000",
                          "-t", "set,get,lpush,lpop,sadd,hset,zadd"])
        expect(load.code == 0, f"redis-benchmark: {text(load.err)}")
        info = text(bench.run([*client, "INFO", "server"]).out)
        pid = int(next(line for line in info.splitlines() if line.startswith("process_id:")).split(":")[1])
        os.kill(pid, signal.SIGTERM)
        _, err = server.communicate(timeout=60)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.communicate()
    return replies.out, server.returncode, text(err)


def redis(bench):
    need("redis-cli", "redis-benchmark")
    first, second = serve(bench, []), serve(bench, [])
    expect(first[:2] == second[:2], "redis-server differs from itself")
    file = bench.recording("redis")
    file.unlink(missing_ok=True)
    observed = serve(bench, [bench.allot, "run", "--full", "--quiet", "-o", str(file), "--"])
    expect(observed[1] == first[1], f"exit code {observed[1]} instead of {first[1]}: {observed[2]}")
    expect(observed[0] == first[0], "other replies")
    report = bench.report(file)
    totals = report["totals"]
    expect(totals["allocations"] > 10000, f"only {totals['allocations']} allocations seen")
    left = totals["allocations"] - totals["frees"]
    expect(left >= totals["live_blocks_at_exit"] - report["dropped"]["events"], "the books do not balance")
    return (f"{len(first[0]):,} bytes of replies are the same; {totals['allocations']:,} allocations seen, "
            f"dropped {report['dropped']}")


CHECKS = {"redis": redis}
