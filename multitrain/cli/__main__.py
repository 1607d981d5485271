"""`python -m multitrain.cli`, as the workflow starts every command."""

from multitrain.cli import run

if __name__ == "__main__":
    run()
