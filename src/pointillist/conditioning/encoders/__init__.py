"""Encoders of conditions, in torch; for each kind a function, such as `label_encoders`, in the file of `HOMES`."""

HOMES = {
    "label": "vectors",
    "attributes": "vectors",
    "vector": "vectors",
    "hint": "grids",
    "known": "grids",
    "text": "text",
}
