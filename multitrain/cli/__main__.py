"""Entry point of `python -m multitrain.cli`, which the workflow uses for every command."""

from multitrain.cli import run

if __name__ == "__main__":
    run()
