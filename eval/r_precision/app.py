"""The metric's Space: a form to try it."""

import json
from pathlib import Path

import evaluate
import gradio as gr

metric = evaluate.load(str(Path(__file__).parent / "r_precision.py"))


def score(predictions: str, references: str) -> dict:
    """The metric's values for rankings and relevant ids as JSON."""
    try:
        return metric.compute(predictions=json.loads(predictions), references=json.loads(references), per_query=True)
    except (ValueError, RecursionError) as error:
        raise gr.Error(str(error), print_exception=False) from None


form = gr.Interface(
    score,
    [
        gr.Textbox(
            '[["a", "b", "c"]]', label="predictions", info="a ranking for each query, as JSON", max_length=100_000
        ),
        gr.Textbox('[["a", "c"]]', label="references", info="the relevant ids of each query", max_length=100_000),
    ],
    gr.JSON(label="values"),
    title="R-Precision",
    description=metric.info.description,
    flagging_mode="never",
)

if __name__ == "__main__":
    form.launch()
