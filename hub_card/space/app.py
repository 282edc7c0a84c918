"""The demo Space of nerret: the app of the command `nerret app`."""

from modeling_nerret.app.page import build, launch

page = build()
launch(page, server_name="0.0.0.0", server_port=7860)  # the open port of a Space's container
page.block_thread()
