"""Opens a finished .mcpb as a host does and checks that everything its manifest names is inside and can run.

    python3 check.py <bundle.mcpb>
"""

import hashlib
import json
import struct
import sys
import zipfile

ELF_MACHINES = {62: "x86_64", 183: "aarch64"}
MACH_PROCESSORS = {0x01000007: "x86_64", 0x0100000C: "aarch64"}


def architectures(head: bytes) -> tuple[str, set[str]]:
    """The system and the processors that a program was built for, by its own header."""
    if head[:4] == b"\x7fELF":
        return "linux", {ELF_MACHINES.get(struct.unpack_from("<H", head, 18)[0], "?")}
    if head[:4] == b"\xca\xfe\xba\xbe":
        count = struct.unpack_from(">I", head, 4)[0]
        return "darwin", {MACH_PROCESSORS.get(struct.unpack_from(">I", head, 8 + 20 * i)[0], "?") for i in range(count)}
    if head[:2] == b"MZ":
        return "win32", {"x86_64"}
    if head[:2] == b"#!":
        return "script", set()
    return "?", set()


def check(path: str) -> list[str]:
    wrong: list[str] = []
    with zipfile.ZipFile(path) as bundle:
        if broken := bundle.testzip():
            wrong.append(f"{broken} is damaged")
        manifest = json.loads(bundle.read("manifest.json"))
        names = set(bundle.namelist())
        server = manifest["server"]
        config = server["mcp_config"]
        commands = [config["command"], *(one["command"] for one in config["platform_overrides"].values())]
        referenced = {server["entry_point"], *(one.removeprefix("${__dirname}/") for one in commands)}
        programs = referenced | {name for name in names if name.startswith("server/")}
        for name in sorted(referenced | {manifest["icon"]}):
            if name not in names:
                wrong.append(f"{name} is named by the manifest and is not inside")
        found: dict[str, set[str]] = {}
        for name in sorted(programs & names):
            mode = bundle.getinfo(name).external_attr >> 16 & 0o777
            if mode != 0o755:
                wrong.append(f"{name} has mode {mode:o}, not 755")
            system, processors = architectures(bundle.read(name)[:256])
            found.setdefault(system, set()).update(processors)
            print(f"  {name:32} {bundle.getinfo(name).file_size:>10} bytes  {system} {' '.join(sorted(processors))}")
        for platform in manifest["compatibility"]["platforms"]:
            if platform not in found:
                wrong.append(f"the manifest promises {platform} and no program for it is inside")
        if "darwin" in found and found["darwin"] != {"x86_64", "aarch64"}:
            wrong.append("the macOS program is not universal")
    return wrong


if __name__ == "__main__":
    faults = check(sys.argv[1])
    for fault in faults:
        print(f"bundle: {fault}", file=sys.stderr)
    with open(sys.argv[1], "rb") as file:
        print(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {sys.argv[1]}")
    sys.exit(1 if faults else 0)
