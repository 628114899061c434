"""The results of a test, as TAP."""
import sys

done_so_far = []


def ok(right, name, why=()):
    done_so_far.append(bool(right))
    print("%s %d - %s" % ("ok" if right else "not ok", len(done_so_far), name))
    for line in list(why)[:20]:
        print("# " + line)
    sys.stdout.flush()


def finish():
    """The plan, and the program's end."""
    print("1..%d" % len(done_so_far))
    sys.exit(not all(done_so_far))
