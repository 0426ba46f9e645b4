#!/usr/bin/env python3
"""Verifies an audit record of callgate, from docs/journal.md alone. Standard library only.

    verify_audit.py FILE... [--journal FOLDER] [--key HEX] [--anchor SEQ:HASH] [--json]

Exit code: 0 whole, 1 a file could not be read, 2 wrong arguments, 3 not whole.
"""

import argparse
import hashlib
import json
import os
import re
import sys

ROW_DOMAIN = b"callgate-audit-row-v1\n"
CHECKPOINT_DOMAIN = b"callgate-audit-checkpoint-v1\n"
GENESIS = "0" * 64
ROW_END = re.compile(rb',"seq":([1-9][0-9]{0,19}),"prev_hash":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}\Z')
CALL_ID = re.compile(rb'"call_id":"([0-9a-f]+)-([0-9]+)"')
CHECKPOINT = re.compile(
    rb'(\{"kind":"(mark|close|begin)","seq":([1-9][0-9]{0,19}),"hash":"([0-9a-f]{64})","time":"[0-9TZ:.-]*",'
    rb'"public_key":"([0-9a-f]{64})"),"signature":"([0-9a-f]{128})"\}\Z'
)

# ------------------------------------------------------------------------------------------- Ed25519, RFC 8032

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_OF_MINUS_ONE % P
    if (x * x - x2) % P:
        return None
    return P - x if x & 1 != sign else x


def point(encoded):
    """A point in extended coordinates (x, y, z, t), or None."""
    number = int.from_bytes(encoded, "little")
    y = number & ((1 << 255) - 1)
    x = recover_x(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % P)


def add(one, other):
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(factor, base):
    total = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            total = add(total, base)
        base = add(base, base)
        factor >>= 1
    return total


def same(one, other):
    return (one[0] * other[2] - other[0] * one[2]) % P == 0 and (one[1] * other[2] - other[1] * one[2]) % P == 0


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = recover_x(BASE_Y, 0)
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)
NEUTRAL = (0, 1, 1, 0)


def is_signed(public, message, signature):
    a, r = point(public), point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    if same(times(8, a), NEUTRAL) or same(times(8, r), NEUTRAL):
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    return same(times(s, BASE), add(r, times(k, a)))


# ------------------------------------------------------------------------------------------------------ record


class Finding(Exception):
    def __init__(self, wrong, file, line, seq, why):
        super().__init__(why)
        self.wrong, self.file, self.line, self.seq, self.why = wrong, file, line, seq, why


def lines_of(path):
    """Every line without its line feed, with its number, and whether it had one."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            whole = line.endswith(b"\n")
            yield number, line[:-1] if whole else line, whole


def read_row(line):
    """seq, prev_hash, hash, and the bytes that the hash covers; None when the line does not end as a row does."""
    end = ROW_END.search(line)
    if not end or int(end[1]) >= 2**64:
        return None
    return int(end[1]), end[2].decode(), end[3].decode(), line[: -len(',"hash":""}') - 64]


def is_unchained(line):
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and not {"seq", "prev_hash", "hash"} & value.keys()


class Verifier:
    def __init__(self, keys, anchor):
        self.keys, self.anchor = keys, anchor
        self.signed, self.begins, self.calls = {}, set(), set()
        self.rows = self.first = self.last = self.unchained = self.met = 0
        self.hash = GENESIS
        self.place = ("", 0)
        self.notes = []

    def checkpoints(self, path):
        self.place = (path, 0)
        for number, line, whole in lines_of(path):
            self.place = (path, number)
            match = CHECKPOINT.match(line)
            if not match:
                if not whole:
                    self.notes.append("the last checkpoint is torn")
                    continue
                raise Finding("checkpoint", path, number, 0, "this line is no checkpoint")
            covered, kind, seq, digest, key, signature = match.groups()
            seq, digest = int(seq), digest.decode()
            if seq >= 2**64:
                raise Finding("checkpoint", path, number, 0, "this line is no checkpoint")
            message = CHECKPOINT_DOMAIN + covered
            if not is_signed(bytes.fromhex(key.decode()), message, bytes.fromhex(signature.decode())):
                raise Finding("checkpoint", path, number, seq, "the signature is wrong")
            if key.decode() not in self.keys:
                raise Finding("checkpoint", path, number, seq, "the key that signed it is not known")
            if self.signed.setdefault(seq, digest) != digest:
                raise Finding("checkpoint", path, number, seq, "two checkpoints of this row differ")
            if kind == b"begin":
                self.begins.add(seq)

    def audit(self, path):
        self.place = (path, 0)
        for number, line, whole in lines_of(path):
            self.place = (path, number)
            self.line(line, whole)

    def line(self, line, whole):
        row = read_row(line)
        if row is None:
            if self.rows == 0 and is_unchained(line):
                self.unchained += 1
            elif not whole:
                self.notes.append("the last line of an audit file is torn")
            else:
                raise Finding("not_a_row", *self.place, 0, "this line is no row of the chain")
            return
        seq, prev_hash, digest, covered = row

        def wrong(what, why):
            raise Finding(what, *self.place, seq, why)

        if hashlib.sha256(ROW_DOMAIN + covered).hexdigest() != digest:
            wrong("hash", "its hash is not the hash of its bytes")
        if self.rows == 0 and seq > 1:
            if seq - 1 not in self.begins or self.signed[seq - 1] != prev_hash:
                wrong("begin", "earlier rows are not here, and no checkpoint lets a file begin there")
        elif seq > self.last + 1:
            wrong("gap", f"rows {self.last + 1} to {seq - 1} are missing before it")
        elif seq < self.last + 1:
            wrong("order", f"row {self.last + 1} should stand here")
        elif prev_hash != self.hash:
            wrong("link", "it was written behind another row")
        if self.anchor and self.anchor[0] == seq and self.anchor[1] != digest:
            wrong("signed", "it is not the row that the anchor names")
        if seq in self.signed:
            if self.signed[seq] != digest:
                wrong("signed", "it is not the row that a checkpoint names")
            self.met += 1
        call = CALL_ID.findall(line)
        if call:
            call = (int(call[-1][0], 16), int(call[-1][1]))
            if call in self.calls:
                wrong("duplicate", "its call has a row already")
            self.calls.add(call)
        self.first = self.first or seq
        self.rows += 1
        self.last, self.hash = seq, digest

    def end(self, head):
        known = list(self.signed)
        if self.anchor:
            known.append(self.anchor[0])
        if head:
            known.append(head[0])
        if max(known, default=0) > self.last:
            why = f"rows {self.last + 1} to {max(known)} are missing behind it"
            raise Finding("truncated", *self.place, self.last, why)
        if head and head[0] == self.last and head[1] != self.hash:
            raise Finding("head", *self.place, self.last, "it is not the row that the head file names")


def read_head(path):
    try:
        with open(path, "rb") as file:
            value = json.load(file)
        return value["seq"], value["hash"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def first_seq(path):
    """The number of the first chained row; 0 when there is none."""
    for _, line, _ in lines_of(path):
        row = read_row(line)
        if row:
            return row[0]
        if not is_unchained(line):
            break
    return 0


def keys_in(path):
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.strip().removeprefix("ed25519 ") for line in file]
    except OSError:
        return set()
    return {line for line in lines if re.fullmatch("[0-9a-f]{64}", line)}


def record_of(files, folder):
    """The audit file that the files belong to, and the folder beside it."""
    audit = os.path.realpath(files[0])
    if not os.path.isdir(audit + ".journal"):
        shorter = audit.rpartition(".")[0]
        if shorter and os.path.isdir(shorter + ".journal"):
            audit = shorter
    return audit, folder or audit + ".journal"


def files_of(files, audit):
    is_newest = any(os.path.realpath(file) == audit for file in files)
    files = list(files)
    if len(files) == 1 and is_newest:
        named = files[0]
        if not os.path.exists(named):
            files = []
        parent, name = os.path.split(audit)
        begins = re.compile(re.escape(name) + "[.-][0-9]")
        others = [os.path.join(parent, other) for other in sorted(os.listdir(parent)) if begins.match(other)]
        files += [other for other in others if os.path.isfile(other) and first_seq(other) > 0]
    return sorted(files, key=lambda file: first_seq(file) or 2**64), is_newest


def anchor_of(text):
    match = re.fullmatch("([1-9][0-9]*):([0-9a-f]{64})", text)
    if not match:
        raise argparse.ArgumentTypeError("write the row's number, a colon and its 64 hex digits")
    return int(match[1]), match[2]


def arguments():
    parser = argparse.ArgumentParser(description="Verifies an audit record of callgate.")
    parser.add_argument("files", metavar="FILE", nargs="+")
    parser.add_argument("--journal", metavar="FOLDER", help="the folder with the checkpoints")
    parser.add_argument("--key", metavar="HEX", help="the public key that signatures must be of")
    parser.add_argument("--anchor", metavar="SEQ:HASH", type=anchor_of, help="a row noted down earlier")
    parser.add_argument("--json", action="store_true", help="write one JSON object")
    return parser.parse_args()


def main():
    options = arguments()
    finding = None
    try:
        audit, folder = record_of(options.files, options.journal)
        head = read_head(os.path.join(folder, "head"))
        keys = {options.key.removeprefix("ed25519 ")} if options.key else keys_in(os.path.join(folder, "public.key"))
        verifier = Verifier(keys, options.anchor)
        files, is_newest = files_of(options.files, audit)
        checkpoints = os.path.join(folder, "checkpoints.jsonl")
        try:
            if os.path.exists(checkpoints):
                verifier.checkpoints(checkpoints)
            for file in files:
                verifier.audit(file)
            if is_newest:
                verifier.end(head)
        except Finding as found:
            finding = found
    except OSError as error:
        print(f"failure: {error}", file=sys.stderr)
        return 1
    if options.json:
        shown = finding and {key: getattr(finding, key) for key in ("wrong", "file", "line", "seq", "why")}
        counts = {"rows": verifier.rows, "first": verifier.first, "last": verifier.last, "hash": verifier.hash}
        counts |= {"checkpoints": verifier.met, "unchained": verifier.unchained, "notes": verifier.notes}
        print(json.dumps({"whole": finding is None, **counts, "finding": shown}))
    elif finding:
        where = f"{finding.file!r} line {finding.line} (row {finding.seq})"
        print(f"NOT WHOLE  {where}: {finding.wrong}: {finding.why}")
    else:
        print(f"whole  {verifier.rows} rows from row {verifier.first} on, {verifier.met} signed checkpoints")
        print(f"anchor {verifier.last}:{verifier.hash}")
        for note in verifier.notes:
            print(f"note   {note}")
    return 3 if finding else 0


if __name__ == "__main__":
    sys.exit(main())
