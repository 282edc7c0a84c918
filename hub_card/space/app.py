"""The demo Space of nerret: the same app as the command `nerret app` shows."""

from modeling_nerret.app.page import build, launch

page = build()
launch(page, server_name="0.0.0.0", server_port=7860)  # a Space is a container, and this is its open port
page.block_thread()
