"""The stable codes of failed tasks, `error.code` of a task: programs rely on them, and never on the words."""

from __future__ import annotations

from typing import Literal

# What a worker may say.
FailureCode = Literal[
    "canceled",
    "error",
    "invalid_image",
    "model_gated",
    "model_incomplete",
    "model_missing",
    "model_not_safetensors",
    "not_supported",
    "out_of_memory",
    "storage_full",
    "timeout",
]

MEANINGS = {
    "canceled": "The worker stopped, for it was asked to; such a task ends canceled, not failed.",
    "error": "The drawing failed; the message is what the worker's libraries said.",
    "given_back": "Workers gave the task back again and again, and nobody finished it.",
    "invalid_image": "The server refused what the worker had drawn.",
    "missing_extra": "No worker can start on the server's machine: its libraries are not installed.",
    "model_gated": "The model's owner gives it only to those who have agreed to terms.",
    "model_incomplete": "Files of the model are missing or damaged.",
    "model_missing": "The worker cannot get the model's files.",
    "model_not_safetensors": "The model's weights are in a format that can run code.",
    "not_supported": "The worker cannot do what was asked.",
    "out_of_memory": "The worker's memory is too small for this model and size.",
    "poisoned": "The last of all attempts ended, like others before, with its worker falling silent.",
    "storage_full": "There was no room for the images.",
    "timeout": "The drawing did not go on for too long, and was given up.",
}
