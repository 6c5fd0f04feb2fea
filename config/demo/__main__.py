"""`make demo`: the demonstration without a look at anybody's settings or data."""

from config.demo.own_data import run

if __name__ == "__main__":
    raise SystemExit(run())
