"""The prompts of the sheets; those of the first were fixed before the denoiser was trained."""

SHEET = (
    "a slice of pizza", "red car", "cup of coffee", "a cute dog on a pink background", "rocket", "bicycle",
    "a fox", "cat on a light blue background", "a panda", "sunflower", "cactus", "tree", "guitar",
    "a castle", "a sailboat on a blue background", "donut", "apple", "house",
    "a yellow star on a black background", "heart", "fish", "robot", "ghost on a purple background",
    "unicorn", "a hamburger", "ice cream", "birthday cake", "strawberry", "banana", "a carrot", "penguin",
    "an owl on a green background", "frog", "elephant", "butterfly", "a lion on a yellow background",
    "airplane", "steam train", "umbrella", "light bulb on a gray background", "scissors", "a key",
    "soccer ball", "top hat", "rainbow", "snowman on a light blue background",
    "a pumpkin on a black background", "smiley",
)  # fmt: skip

# The second sheet: each prompt with SEEDS seeds, two prompts a row.
SEEDS = 8
VARIETY = (
    "a balloon", "a car", "a blue car", "a green book", "a dog on the left", "a dog on the right",
    "a purple heart on a yellow background", "a red dress", "a pink tulip", "a large pumpkin",
    "a yellow star on a black background", "a small house",
)  # fmt: skip
