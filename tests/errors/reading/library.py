# python >= 3.11
import json

SETTINGS = json.loads("{")
