"""A real client: the Python SDK over stdio, with canned answers for what servers ask.

    python client.py SCENARIOS COMMAND [ARGS…]

Same scenarios and same output as client.mjs: one JSON object per line, {"scenario", "result"} or {"scenario", "error"}.
"""

import json
import os
import re
import sys
import warnings

import anyio
from mcp import types
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client

PATIENCE = 40.0
# What a server says of itself.
INTRODUCTION = ("protocolVersion", "capabilities", "serverInfo", "instructions")
# Sessions of the legacy era are what hosts speak today.
warnings.simplefilter("ignore")


class Canned:
    """What the client answers, and what it was told."""

    def __init__(self):
        self.asked, self.logged, self.updated = [], [], []

    async def sample(self, context, params):
        self.asked.append({"sampling": plain(params)})
        content = types.TextContent(type="text", text="a canned sample")
        return types.CreateMessageResult(role="assistant", model="canned", content=content)

    async def elicit(self, context, params):
        self.asked.append({"elicitation": plain(params).get("requestedSchema")})
        return types.ElicitResult(action="accept", content={"name": "Ada", "check": True})

    async def roots(self, context):
        return types.ListRootsResult(roots=[types.Root(uri="file:///canned/root", name="canned")])

    async def log(self, params):
        self.logged.append(plain(params))

    async def message(self, message):
        if isinstance(message, types.ResourceUpdatedNotification):
            self.updated.append(str(message.params.uri))


def plain(model):
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)


async def until(what, probe):
    with anyio.move_on_after(PATIENCE):
        while True:
            found = await probe()
            if found:
                return found
            await anyio.sleep(0.05)
    raise RuntimeError(f"waited in vain: {what}")


class Scenarios:
    def __init__(self, session, canned):
        self.session, self.canned = session, canned

    async def _all(self, method, key):
        entries, cursor = [], None
        while True:
            params = types.PaginatedRequestParams(cursor=cursor) if cursor is not None else None
            page = plain(await getattr(self.session, method)(params=params))
            entries += page[key]
            cursor = page.get("nextCursor")
            if cursor is None:
                return entries

    async def introduced(self):
        return {key: plain(self.session.initialize_result)[key] for key in INTRODUCTION if key in plain(self.session.initialize_result)}

    async def wait(self, tools):
        async def listed():
            names = await self.tool_names()
            return all(name in names for name in tools) and "listed"

        return await until(f"tools {tools}", listed)

    async def tools(self):
        return await self._all("list_tools", "tools")

    async def tool_names(self):
        return [tool["name"] for tool in await self.tools()]

    async def call(self, name, arguments=None):
        return plain(await self.session.call_tool(name, arguments))

    async def call_until_ok(self, name, arguments):
        async def works():
            try:
                return await self.call(name, arguments)
            except Exception:
                return None

        return await until(f"{name} works", works)

    async def prompts(self):
        return await self._all("list_prompts", "prompts")

    async def prompt(self, name, arguments=None):
        return plain(await self.session.get_prompt(name, arguments))

    async def resources(self):
        return await self._all("list_resources", "resources")

    async def templates(self):
        return await self._all("list_resource_templates", "resourceTemplates")

    async def read(self, uri):
        return plain(await self.session.read_resource(uri))

    async def complete(self, ref, argument, context=None):
        kinds = {"ref/prompt": types.PromptReference, "ref/resource": types.ResourceTemplateReference}
        reference = kinds[ref["type"]](**ref)
        arguments = (context or {}).get("arguments")
        return plain(await self.session.complete(reference, argument, arguments))

    async def ping(self):
        return plain(await self.session.send_ping())

    async def level(self, level):
        return plain(await self.session.set_logging_level(level))

    async def logging(self, tool):
        await self.session.set_logging_level("debug")
        await self.session.call_tool(tool, {})

        async def logged():
            return len(self.canned.logged) > 0

        await until("a log message", logged)
        await self.session.call_tool(tool, {})
        return {"keys": sorted(key for key in self.canned.logged[0] if key != "logger")}

    async def subscribe(self, uri, tool):
        await self.session.subscribe_resource(uri)
        await self.session.call_tool(tool, {})

        async def updated():
            return uri in self.canned.updated

        await until("an update", updated)
        await self.session.call_tool(tool, {})
        await self.session.unsubscribe_resource(uri)
        return "updated"

    async def asking(self, name, arguments):
        self.canned.asked.clear()
        result = await self.call(name, arguments)
        return {"result": result, "asked": list(self.canned.asked)}

    async def progress(self, name, arguments):
        seen = []

        async def step(progress, total, message):
            seen.append({"progress": progress, "total": total})

        result = plain(await self.session.call_tool(name, arguments, progress_callback=step))
        rising = all(a["progress"] < b["progress"] for a, b in zip(seen, seen[1:]))
        return {"result": result, "first": seen[0], "rising": rising}

    async def refused(self, scenario):
        """A request that the server refuses."""
        name, params = scenario
        return await getattr(self, name)(**params)

    async def cancel(self, name, arguments):
        async with anyio.create_task_group() as group:

            async def step(progress, total, message):
                group.cancel_scope.cancel()

            async def call():
                await self.session.call_tool(name, arguments, progress_callback=step)

            group.start_soon(call)
        await self.session.send_ping()
        return "aborted" if group.cancel_scope.cancel_called else "answered"


def scrub(value):
    """Times of day differ from run to run."""
    return json.loads(re.sub(r"\d{1,2}:\d{2}:\d{2}(\.\d+)?( [AP]M|Z)?", "TIME", json.dumps(value, ensure_ascii=False)))


async def main():
    scenarios, command, *args = sys.argv[1:]
    canned = Canned()
    server = StdioServerParameters(command=command, args=args, env=dict(os.environ))
    with open(os.devnull, "w") as quiet:
        async with stdio_client(server, errlog=quiet) as (read, write):
            async with ClientSession(
                read,
                write,
                sampling_callback=canned.sample,
                elicitation_callback=canned.elicit,
                list_roots_callback=canned.roots,
                logging_callback=canned.log,
                message_handler=canned.message,
                client_info=types.Implementation(name="real-py", version="1.0.0"),
            ) as session:
                await session.initialize()
                known = Scenarios(session, canned)
                for name, params in json.loads(scenarios):
                    told = {"scenario": name}
                    try:
                        told["result"] = scrub(await getattr(known, name)(**params))
                    except Exception as error:
                        inner = getattr(error, "error", None)
                        told["error"] = scrub({"code": getattr(inner, "code", None), "message": str(error)})
                    print(json.dumps(told), flush=True)


anyio.run(main)
