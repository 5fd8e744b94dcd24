"""Small C programs of these tests, linked with the project's own libraries and with sanitizers."""
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = ("-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "-I.", "-D_GNU_SOURCE")


def build_probe(folder, name, libraries, packages):
    """tests/integration/NAME.c as folder/NAME; libraries in the order of linking, the users first."""
    out, archives = folder / name, [f"build/debug/lib{one}.a" for one in libraries]
    subprocess.run(["make", "--no-print-directory", *archives], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    found = subprocess.run(["pkg-config", "--cflags", "--libs", *packages], check=True, capture_output=True, text=True)
    subprocess.run(["gcc", *FLAGS, "-o", out, f"tests/integration/{name}.c", *archives, *found.stdout.split()], cwd=ROOT,
                   check=True)
    return out
