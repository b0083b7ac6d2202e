"""Writes a copy of a source file with one deliberate mistake in it.

    mutate.py SPEC ROOT OUT

SPEC names the file, the text to find and the text to put there. The text must be found exactly
once: a mutation that no longer applies fails the build, so that none is lost silently.
"""

from __future__ import annotations

import sys
from pathlib import Path


def parse(text: str) -> tuple[str, str, str]:
    """Returns file, find, put."""
    head, _, rest = text.partition("\nfind:\n")
    find, separator, put = rest.partition("\nput:\n")
    if not separator:
        find, separator, put = rest.rstrip("\n").partition("\nput:")
    files = [line.removeprefix("file: ") for line in head.splitlines() if line.startswith("file: ")]
    if len(files) != 1 or not find or not separator:
        raise ValueError("wants one line 'file: PATH', then 'find:' and 'put:' with their texts")
    return files[0], find, put.rstrip("\n")


def main() -> int:
    spec, root, out = (Path(argument) for argument in sys.argv[1:4])
    try:
        name, find, put = parse(spec.read_text(encoding="utf-8"))
    except ValueError as error:
        print(f"{spec}: {error}", file=sys.stderr)
        return 1
    source = (root / name).read_text(encoding="utf-8")
    count = source.count(find)
    if count != 1:
        print(
            f"{spec}: its text is {count} times in {name}, not once: the code has changed; "
            "put the same mistake into the new code",
            file=sys.stderr,
        )
        return 1
    out.write_text(f'#line 1 "{root / name}"\n' + source.replace(find, put), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
