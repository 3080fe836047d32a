from gpugen_protocol.recipe import Recipe

RECIPE = Recipe(
    prompt="a cat", negative_prompt="dog", model="emoji", revision="", width=64, height=32, steps=20,
    guidance=3.0, scheduler="ddim", seed=7, n=2, index=1, task="t", gpugen="0.1.0",
)  # fmt: skip


def test_parameters_read_as_other_tools_expect_them():
    assert RECIPE.parameters() == (
        "a cat\nNegative prompt: dog\n"
        "Steps: 20, Sampler: ddim, CFG scale: 3, Seed: 7, Size: 64x32, Model: emoji, Version: gpugen"
    )
