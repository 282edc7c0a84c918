"""The tools for language models, asked by the real client over standard input and output."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

pytest.importorskip("mcp", reason="pip install '.[mcp]'")
import mcp

from modeling_nerret import EntityRetriever
from modeling_nerret.cli import main
from tests.small_corpus import index_texts

TEXTS = ["Ada was born in London.", "The river in Paris.", "Ada wrote notes. " * 40]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: str) -> Path:
    return index_texts(tmp_path_factory.mktemp("mcp"), tiny_checkpoint, TEXTS)


def _with_client(server: Any, work: Callable[[Any], Any]) -> Any:
    async def run() -> Any:
        async with mcp.Client(server) as client:
            return await work(client)

    return anyio.run(run)


@pytest.mark.slow
def test_a_client_asks_over_standard_input_and_output(index: Path) -> None:
    command = ["-m", "modeling_nerret.cli", "mcp", str(index)]
    server = mcp.stdio_client(mcp.StdioServerParameters(command=sys.executable, args=command))

    async def work(client: Any) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"search", "answer", "entities", "types"}
        assert all(tool.annotations.read_only_hint and tool.description for tool in tools.values())
        assert tools["search"].input_schema["required"] == ["query"]
        answer = (await client.call_tool("search", {"query": "city", "k": 2, "where": "year<1902"})).structured_content
        assert {hit["id"] for hit in answer["hits"]} == {"d0", "d1"} and answer["hits"][0]["metadata"]["year"] < 1902
        entities = (await client.call_tool("entities", {"query": "city", "limit": 1})).structured_content
        assert len(entities["entities"]) == 1 <= entities["count"]

    _with_client(server, work)


def test_results_are_short_and_errors_say_what_is_accepted(index: Path) -> None:
    from modeling_nerret.serve.tools import make_server

    async def work(client: Any) -> None:
        async def fail(tool: str, **arguments: Any) -> str:
            result = await client.call_tool(tool, arguments)
            assert result.is_error
            return str(result.content[0].text)

        answer = (await client.call_tool("answer", {"query": {"type": "city", "like": ["London"]}})).structured_content
        assert answer["documents"] == len(answer["hits"]) == 3
        assert all(len(hit["excerpt"]) < 400 for hit in answer["hits"])
        assert "51 is no number from 1 to 50" in await fail("search", query="city", k=51)
        assert "a type query is a few words" in await fail("answer", query=" ")
        assert "accepted is a few words" in await fail("entities", query={"of": "city"})
        assert "the nearest name is 'year'" in await fail("search", query="city", where="yaer=1")
        assert "has no names of types" in await fail("types")
        assert "no query is saved as 'nothing'" in await fail("search", query="@nothing")

    _with_client(make_server(EntityRetriever(index), "my-index"), work)


def test_the_command_says_what_to_install(
    index: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "mcp.server", None)
    monkeypatch.delitem(sys.modules, "modeling_nerret.serve.tools", raising=False)
    assert main(["mcp", str(index)]) == 1
    assert "pip install '.[mcp]'" in capsys.readouterr().err
