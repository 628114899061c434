"""TAP for the Python tests, and the variables of try.env."""
import os
import ssl
import sys
import time

count = failures = 0
env = os.environ


def ok(good, name):
    global count, failures
    count += 1
    failures += not good
    print("%s %d - %s" % ("ok" if good else "not ok", count, name), flush=True)
    return good


def equal(got, wanted, name):
    if not ok(got == wanted, name):
        for what, value in ("got:    ", got), ("wanted: ", wanted):
            print("# %s%.2000r" % (what, value), flush=True)


def refused(errors, name, call, *args):
    """call must raise one of errors."""
    try:
        got = call(*args)
    except errors:
        return ok(True, name)
    except Exception as e:  # any other is a failure to be told
        got = repr(e)
    ok(False, name)
    print("# got: %.500r" % (got,))


def wait(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def done():
    print("1..%d" % count)
    sys.exit(failures > 0)


def trust():
    return ssl.create_default_context(cafile=env["CA_FILE"])


def port(name):
    return int(env[name + "_PORT"])
