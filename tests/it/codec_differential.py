"""The other side of codec_differential.rs: reads what our codec wrote with pyvider-cty, and writes it again.

Each line of standard input is a JSON object with a type constraint, a value in MessagePack (hex), and the same value as
JSON text (null if some of it is unknown). Each line of standard output is what became of it: the value in MessagePack
again, once by way of each form, and as JSON text.
"""

import json
import sys

from pyvider.cty.codec import cty_from_msgpack, cty_to_msgpack
from pyvider.cty.json_codec import cty_from_json, cty_to_json
from pyvider.cty.parser import parse_tf_type_to_ctytype

for line in sys.stdin:
    case = json.loads(line)
    try:
        kind = parse_tf_type_to_ctytype(case["type"])
        value = cty_from_msgpack(bytes.fromhex(case["msgpack"]), kind)
        answer = {"msgpack": cty_to_msgpack(value, kind).hex()}
        if case["json"] is not None:
            by_json = cty_from_json(case["json"], kind)
            answer["by_json"] = cty_to_msgpack(by_json, kind).hex()
            text = cty_to_json(value, kind)
            answer["json"] = text.decode() if isinstance(text, bytes) else text
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
