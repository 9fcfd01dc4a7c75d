"""The default model card."""

from __future__ import annotations

import json

from pointillist.model.config import ModelConfig


def default_card(config: ModelConfig, likelihood: str, num_parameters: int) -> str:
    """Write a model card with what is known without a training run."""
    image = config.image
    settings = json.dumps(config.backbone.model_dump(mode="json"))
    return f"""---
library_name: pointillist
pipeline_tag: unconditional-image-generation
tags: [pointillist, {config.model_type}]
---

# {config.model_type}, {image.mode} {image.height}x{image.width}, {image.levels} levels

A model that generates an image one pixel at a time, with exact likelihood. Made with Pointillist.

| | |
|---|---|
| model | {config.model_type}, {num_parameters:,} parameters |
| image | {image.channels} channel(s), {image.height} x {image.width} |
| levels | {image.levels}, {"ordered" if image.ordered else "unordered"} |
| likelihood | {likelihood} |
| classes | {len(config.classes) or "none"} |
| conditions | {", ".join(config.describe_conditions()) or "none"} |
| orders | {", ".join(config.orders)} |
| network | `{settings}` |

```python
import pointillist as pt

model = pt.load("this-folder-or-hub-id")
pt.sample(model, 16, seed=0).images
```
"""
