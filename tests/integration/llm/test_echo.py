"""The offline model, alone and as an llm node."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.outputs import LLMResult

from execsvc.engine.nodes.echo_model import EchoChatModel
from execsvc.engine.nodes.llm import LlmNode
from execsvc.engine.nodes.schema_sample import sample
from execsvc.model import LogLevel, TokenUsage
from tests.integration.llm.harness import ANSWER_SCHEMA, Recorder, failure, llm_config
from tests.support.threads import Watched


@pytest.mark.parametrize("model", ["echo:", "echo:demo"])
async def test_it_repeats_the_last_user_message_and_counts_words(node: LlmNode, model: str) -> None:
    config = llm_config(
        model=model,
        system="never mind",
        messages=[
            {"role": "user", "content": "first"},
            {"role": "user", "content": "hello {{input.who}}"},
            {"role": "assistant", "content": "well"},
        ],
    )

    result = await node.run(config, Recorder(who="Ada").context)

    assert result.output == "hello Ada"
    assert result.usage == TokenUsage(input_tokens=6, output_tokens=2, total_tokens=8)


async def test_many_messages_are_filled_in_beside_the_loop(node: LlmNode) -> None:
    items = Watched([1, 2])
    messages = [{"role": "user", "content": f"{{{{#input.l}}}}x{{{{/input.l}}}}{n}"} for n in range(14)]
    result = await node.run(llm_config(model="echo:", messages=messages), Recorder(l=items).context)

    assert result.output == "xx13"
    assert len(items.threads) == 1
    assert threading.get_ident() not in items.threads


async def test_messages_are_bounded_together(node: LlmNode) -> None:
    config = llm_config(model="echo:", messages=[{"role": "user", "content": "{{input.text}}"}] * 5)

    error = await failure(node, config, Recorder(text="x" * 4_194_304))

    assert (error.type, error.retryable) == ("TEMPLATE_TOO_LARGE", False)


async def test_the_log_says_that_it_is_offline(node: LlmNode) -> None:
    recorder = Recorder()

    await node.run(llm_config(model="echo:", prompt="hi"), recorder.context)

    facts = {"model": "echo:", "messages": 1, "offline": True}
    assert recorder.logged == [(LogLevel.DEBUG, "asking the model", facts)]


@pytest.mark.parametrize("count", [0, 1, 8, 9, 500, 200_000])
async def test_pieces_make_up_the_answer_and_are_bounded(node: LlmNode, count: int) -> None:
    recorder = Recorder(text=" ".join(f"wörd{number}" for number in range(count)))

    result = await node.run(llm_config(model="echo:", prompt=" {{input.text}}\n"), recorder.context)

    assert "".join(recorder.tokens) == result.output == f" {recorder.context.scope.input['text']}\n"
    assert len(recorder.tokens) <= 64


async def test_with_a_delay_each_word_comes_by_itself_and_can_be_cancelled(node: LlmNode) -> None:
    recorder = Recorder()
    config = llm_config(model="echo:", prompt="one two three", parameters={"delay": 3600})
    quick = llm_config(model="echo:", prompt="one two three", parameters={"delay": 0.001})

    run = asyncio.ensure_future(node.run(config, Recorder().context))
    await node.run(quick, recorder.context)
    run.cancel()

    assert recorder.tokens == ["one ", "two ", "three"]
    with pytest.raises(asyncio.CancelledError):
        await run


@pytest.mark.parametrize("delay", [-1, "long", True, 1e9])
async def test_a_delay_that_is_none_is_refused(node: LlmNode, delay: object) -> None:
    error = await failure(node, llm_config(model="echo:", prompt="hi", parameters={"delay": delay}))

    assert error.type == "LLM_BAD_PARAMETERS"


async def test_parameters_of_real_models_do_not_stop_it(node: LlmNode) -> None:
    config = llm_config(model="echo:", prompt="hi", parameters={"temperature": 0.5, "max_tokens": 5})

    assert (await node.run(config, Recorder().context)).output == "hi"


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ('please: {"answer": "from the prompt"} thanks', "from the prompt"),
        ('not {this} nor {"other": 1} but {"answer": "that"}', "that"),
        ("nothing to find", "echo"),
        ("[" * 100_000, "echo"),
    ],
)
async def test_asked_for_json_it_answers_what_fits(node: LlmNode, prompt: str, answer: str) -> None:
    config = llm_config(model="echo:", prompt=prompt, response_schema=ANSWER_SCHEMA)

    result = await node.run(config, Recorder().context)

    assert result.output == {"answer": answer}
    assert result.usage is not None


async def test_a_schema_that_it_cannot_satisfy_is_a_bad_answer(node: LlmNode) -> None:
    schema = {"type": "string", "pattern": "^[0-9]{4}$"}

    error = await failure(node, llm_config(model="echo:", prompt="hi", response_schema=schema))

    assert error.type == "LLM_BAD_OUTPUT"


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"const": [1, 2]},
        {"enum": ["a", "b"]},
        {"type": ["integer", "null"], "minimum": 3, "multipleOf": 2},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 10},
        {"type": "integer", "maximum": -5},
        {"type": "integer", "exclusiveMaximum": -4, "multipleOf": 4},
        {"type": "string", "minLength": 9, "maxLength": 9},
        {"type": "string", "format": "date-time"},
        {"type": "boolean"},
        {"type": "null"},
        {"type": "array", "items": {"type": "integer"}, "minItems": 2},
        {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        {"allOf": [{"required": ["a"]}, {"properties": {"a": {"type": "boolean"}}, "required": ["b"]}]},
        {
            "type": "object",
            "properties": {"list": {"type": "array", "items": {"$ref": "#/$defs/item"}, "minItems": 1}},
            "required": ["list", "free"],
            "$defs": {"item": {"oneOf": [{"$ref": "#/$defs/leaf"}, {"type": "string"}]}, "leaf": {"enum": [7]}},
        },
    ],
)
def test_a_sample_fits_its_schema(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)

    assert list(Draft202012Validator(schema).iter_errors(sample(schema))) == []


def test_a_schema_without_end_has_a_sample() -> None:
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}

    assert isinstance(sample(schema), dict)


async def test_callbacks_see_its_calls_as_those_of_any_model() -> None:
    class Ends(AsyncCallbackHandler):
        def __init__(self) -> None:
            self.results: list[LLMResult] = []

        async def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
            self.results.append(response)

    handler = Ends()
    model = EchoChatModel()

    heard = [chunk.text async for chunk in model.astream("to all who listen", {"callbacks": [handler]})]
    unheard = [chunk.text async for chunk in model.astream("to all who listen")]

    assert "".join(heard) == "".join(unheard) == "to all who listen"
    assert [result.generations[0][0].text for result in handler.results] == ["to all who listen"]


async def test_it_answers_alike_by_every_way_of_asking() -> None:
    model = EchoChatModel()
    messages = [SystemMessage("s"), HumanMessage([{"type": "text", "text": "in blocks"}]), AIMessage("a")]

    assert (await model.ainvoke(messages)).text == model.invoke(messages).text == "in blocks"
    assert "".join([chunk.text async for chunk in model.astream(messages)]) == "in blocks"
