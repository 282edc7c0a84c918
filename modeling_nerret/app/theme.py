"""Fonts and colours of Gradio's controls. `app.css` has the rest of the look."""

from __future__ import annotations

import gradio as gr

# Gradio's default fonts come from the network, which the app does not need
SANS, MONO = [gr.themes.Font("sans-serif")], [gr.themes.Font("monospace")]
# Gradio's default colours have too little contrast
PRIMARY_700 = ("button_primary_background_fill", "button_primary_background_fill_dark")
PRIMARY_800 = ("button_primary_background_fill_hover", "button_primary_background_fill_hover_dark")
NEUTRAL_600 = ("block_info_text_color", "block_label_text_color", "block_title_text_color")
NEUTRAL_500 = ("body_text_color_subdued", "input_placeholder_color")
NEUTRAL_400 = ("body_text_color_subdued_dark", "input_placeholder_color_dark")
NEUTRAL_300 = ("block_info_text_color_dark", "block_title_text_color_dark")
COLOURS = {
    **dict.fromkeys(PRIMARY_700, "*primary_700"),
    **dict.fromkeys(PRIMARY_800, "*primary_800"),
    **dict.fromkeys(NEUTRAL_600, "*neutral_600"),
    **dict.fromkeys(NEUTRAL_500, "*neutral_500"),
    **dict.fromkeys(NEUTRAL_400, "*neutral_400"),
    **dict.fromkeys(NEUTRAL_300, "*neutral_300"),
}


def make_theme() -> gr.themes.Base:
    """Gradio's default theme in teal on grey, with these fonts and colours."""
    return gr.themes.Default(primary_hue="teal", neutral_hue="stone", font=SANS, font_mono=MONO).set(**COLOURS)
