"""No test may reach a hub: what is not in a local folder is not there."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
