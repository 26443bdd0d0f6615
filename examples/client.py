"""Start a workflow with the Python client, follow its log, pause and resume it, and read its result.

execsvc serve                      # in another terminal
python examples/client.py [HOST:PORT]
"""

import asyncio
import json
import sys
from pathlib import Path

from execsvc_client import AsyncExecutionClient

EXAMPLES = Path(__file__).parent


async def main(target: str) -> None:
    """Run the triage of one ticket."""
    ticket = json.loads((EXAMPLES / "triage.input.json").read_text())
    async with AsyncExecutionClient(target) as client:
        status = await client.execute(EXAMPLES / "triage.json", ticket, labels={"from": "client.py"})

        # The stream ends by itself once the execution has ended; it survives restarts of the server.
        async with client.logs(status.execution_id, follow=True) as log:
            async for entry in log:
                print(f"{entry.sequence:2} {entry.level:<7} {entry.message}")
                if entry.message == "assess: started":
                    # Nodes under way finish, none starts: the model is asked, then nothing happens.
                    paused = await client.pause(status.execution_id, "having a look")
                    print(f"   {paused.state} at {paused.progress:.0%}")
                    await client.resume(status.execution_id)

        execution = await client.get(status.execution_id)
        if execution.error is not None:
            sys.exit(f"{execution.error.type}: {execution.error.message}")
        print(f"{execution.state}: {execution.output['reply']}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051"))
