#!/usr/bin/env python3
"""Changes an audit file of callgate in every small way and expects `scripts/verify_audit.py` to name the line: every
bit flipped, every row removed, every two rows that changed places, the file cut at every byte.

    tests/every_change.py audit.jsonl        # about two minutes for 1,000 rows

Verifying the whole file anew for each of its bits would take days, so the verifier is stopped before each row and
given what stands there after the change. The crate's own verifier is asked the same in src/journal/verify/tests.rs.
"""

import copy
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts"))
import verify_audit  # noqa: E402


class Record:
    def __init__(self, path):
        folder = path + ".journal"
        with open(path, "rb") as file:
            self.rows = file.read().splitlines()
        self.head = verify_audit.read_head(os.path.join(folder, "head"))
        verifier = verify_audit.Verifier(verify_audit.keys_in(os.path.join(folder, "public.key")), None)
        verifier.checkpoints(os.path.join(folder, "checkpoints.jsonl"))
        # How the verifier stands before each row. That a call has two rows is no part of this.
        self.before = []
        for number, row in enumerate(self.rows, 1):
            verifier.calls = set()
            self.before.append(copy.copy(verifier))
            verifier.place = ("audit", number)
            verifier.line(row, True)
        self.before.append(copy.copy(verifier))

    def finding(self, at, lines, is_whole=True, ends=False):
        """The line (from 1) that is named when `lines` stand from row `at` (from 0) on."""
        verifier = copy.copy(self.before[at])
        verifier.calls, verifier.notes = set(), []
        try:
            for number, line in enumerate(lines, at + 1):
                verifier.place = ("audit", number)
                verifier.line(line, is_whole)
            if ends:
                verifier.end(self.head)
        except verify_audit.Finding as found:
            return found.line
        return None

    def expect(self, what, expected, found):
        if found != expected:
            sys.exit(f"{what}: line {expected} should be named, and {found} is")


def flips(record):
    count = 0
    for at, row in enumerate(record.rows):
        behind = record.rows[at + 1 : at + 2]
        text = bytearray(row + b"\n" + b"".join(behind))
        # The line feed of the last row: without it the row is whole all the same.
        for byte in range(len(row) + len(behind)):
            for bit in range(8):
                text[byte] ^= 1 << bit
                found = record.finding(at, bytes(text).split(b"\n"))
                record.expect(f"bit {bit} of byte {byte} of row {at + 1}", at + 1, found)
                text[byte] ^= 1 << bit
                count += 1
    return count


def removals(record):
    last = len(record.rows) - 1
    for at in range(last):
        record.expect(f"row {at + 1} removed", at + 1, record.finding(at, [record.rows[at + 1]]))
    record.expect("the last row removed", last, record.finding(last - 1, [record.rows[last - 1]], ends=True))
    return last + 1


def swaps(record):
    count = 0
    for at in range(len(record.rows)):
        for other in range(at + 1, len(record.rows)):
            found = record.finding(at, [record.rows[other]])
            record.expect(f"rows {at + 1} and {other + 1} in each other's place", at + 1, found)
            count += 1
    return count


def cuts(record):
    count = 0
    for at, row in enumerate(record.rows):
        for length in range(len(row) + 1):
            if at + 1 == len(record.rows) and length == len(row):
                continue  # Whole but for its line feed.
            if at + length == 0:
                continue  # Nothing left: there is no line to name, and the head file tells.
            lines = [row[:length]] if length else []
            line = record.finding(at, lines, is_whole=False, ends=True)
            # What is missing is told of the last line that there is.
            expected = at + 1 if length else at
            record.expect(f"cut behind byte {length} of row {at + 1}", expected, line)
            count += 1
    return count


def main(path):
    record = Record(path)
    for change in (flips, removals, swaps, cuts):
        begun = time.monotonic()
        print(f"{change.__name__}: {change(record)}, each found; {time.monotonic() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
