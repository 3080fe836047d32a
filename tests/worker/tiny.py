"""Tiny pipelines with random weights, of the same classes as the real models, saved as safetensors."""

from __future__ import annotations

import json
from pathlib import Path

import diffusers as d
import torch
import transformers as t
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

WORDS = ["a", "cat", "dog", "red", "the", "of", "on", "blue", "tree", "house", "and", "in", "sea", "sky"]


def clip_tokenizer(folder: Path, length: int = 77) -> t.CLIPTokenizer:
    """A CLIP tokenizer that knows letters and a few words."""
    letters = [chr(code) for code in range(33, 127)]
    vocab = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    merges = []
    for word in WORDS:
        if len(word) > 1:
            *parts, last = [*word[:-1], word[-1] + "</w>"]
            built = parts[0]
            for part in [*parts[1:], last]:
                merges.append(f"{built} {part}")
                built += part
                vocab.append(built)
    vocab = list(dict.fromkeys(vocab))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: k for k, token in enumerate(vocab)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *dict.fromkeys(merges)]))
    return t.CLIPTokenizer(
        str(folder / "vocab.json"),
        str(folder / "merges.txt"),
        model_max_length=length,
        pad_token="<|endoftext|>",
    )


def t5_tokenizer() -> t.T5TokenizerFast:
    """A T5 tokenizer of single letters."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(chr(code), -3.0) for code in range(33, 127)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return t.T5TokenizerFast(tokenizer_object=tokenizer, extra_ids=0, model_max_length=512)


def qwen_tokenizer() -> t.PreTrainedTokenizerFast:
    """A byte-level tokenizer with Qwen's markers and chat template."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    markers = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    vocab = {token: k for k, token in enumerate([*markers, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = t.Qwen2TokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        additional_special_tokens=markers,
        model_max_length=1024,
    )
    fast.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "<|im_start|>assistant\n"
    )
    return fast


def clip_config(tokenizer: t.CLIPTokenizer, projection: int = 32) -> t.CLIPTextConfig:
    return t.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=37,
        projection_dim=projection,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        hidden_act="gelu",
    )


def autoencoder(channels: int = 4, **more: object) -> d.AutoencoderKL:
    return d.AutoencoderKL(
        block_out_channels=(4, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=channels,
        norm_num_groups=2,
        sample_size=32,
        **more,
    )


def unet(context: int, **more: object) -> d.UNet2DConditionModel:
    return d.UNet2DConditionModel(
        block_out_channels=(4, 8),
        layers_per_block=1,
        sample_size=32,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=more.pop("attention_head_dim", 2),
        cross_attention_dim=context,
        norm_num_groups=2,
        **more,
    )


def t5_encoder(tokenizer: t.T5TokenizerFast, width: int = 32) -> t.T5EncoderModel:
    return t.T5EncoderModel(
        t.T5Config(vocab_size=len(tokenizer), d_model=width, d_kv=8, d_ff=37, num_layers=2, num_heads=4)
    )


def sd(scratch: Path) -> d.DiffusionPipeline:
    tokenizer = clip_tokenizer(scratch)
    return d.StableDiffusionPipeline(
        vae=autoencoder(),
        text_encoder=t.CLIPTextModel(clip_config(tokenizer)),
        tokenizer=tokenizer,
        unet=unet(32),
        scheduler=d.PNDMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            skip_prk_steps=True,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sdxl(scratch: Path) -> d.DiffusionPipeline:
    tokenizer = clip_tokenizer(scratch)
    return d.StableDiffusionXLPipeline(
        vae=autoencoder(),
        text_encoder=t.CLIPTextModel(clip_config(tokenizer)),
        text_encoder_2=t.CLIPTextModelWithProjection(clip_config(tokenizer)),
        tokenizer=tokenizer,
        tokenizer_2=clip_tokenizer(scratch),
        unet=unet(
            64,
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            transformer_layers_per_block=(1, 2),
            projection_class_embeddings_input_dim=80,
        ),
        scheduler=d.EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
        ),
        add_watermarker=False,
    )


def sd3(scratch: Path) -> d.DiffusionPipeline:
    clip, t5 = clip_tokenizer(scratch), t5_tokenizer()
    return d.StableDiffusion3Pipeline(
        transformer=d.SD3Transformer2DModel(
            sample_size=32,
            patch_size=1,
            in_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=4,
            caption_projection_dim=32,
            joint_attention_dim=64,
            pooled_projection_dim=64,
            out_channels=4,
        ),
        scheduler=d.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=autoencoder(shift_factor=0.0609, scaling_factor=1.5035),
        text_encoder=t.CLIPTextModelWithProjection(clip_config(clip)),
        tokenizer=clip,
        text_encoder_2=t.CLIPTextModelWithProjection(clip_config(clip)),
        tokenizer_2=clip_tokenizer(scratch),
        text_encoder_3=t5_encoder(t5, width=64),
        tokenizer_3=t5,
    )


def flux(scratch: Path) -> d.DiffusionPipeline:
    clip, t5 = clip_tokenizer(scratch), t5_tokenizer()
    return d.FluxPipeline(
        scheduler=d.FlowMatchEulerDiscreteScheduler(),
        vae=autoencoder(channels=1, shift_factor=0.0609, scaling_factor=1.5035),
        text_encoder=t.CLIPTextModel(clip_config(clip)),
        tokenizer=clip,
        text_encoder_2=t5_encoder(t5),
        tokenizer_2=t5,
        transformer=d.FluxTransformer2DModel(
            patch_size=1,
            in_channels=4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=32,
            axes_dims_rope=(4, 4, 8),
            guidance_embeds=False,
        ),
    )


def qwen_image(scratch: Path) -> d.DiffusionPipeline:
    tokenizer = qwen_tokenizer()
    config = t.Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e6},
            "vocab_size": len(tokenizer) + 8,
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 16,
        },
        vocab_size=len(tokenizer) + 8,
    )
    return d.QwenImagePipeline(
        scheduler=d.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=d.AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=4,
            dim_mult=[1, 2, 4],
            num_res_blocks=1,
            temperal_downsample=[False, True],
            latents_mean=[0.0] * 4,
            latents_std=[1.0] * 4,
        ),
        text_encoder=t.Qwen2_5_VLForConditionalGeneration(config),
        tokenizer=tokenizer,
        transformer=d.QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=16,
            out_channels=4,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=16,
            axes_dims_rope=(8, 4, 4),
        ),
    )


def z_image(scratch: Path) -> d.DiffusionPipeline:
    tokenizer = qwen_tokenizer()
    config = t.Qwen3Config(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        vocab_size=len(tokenizer) + 8,
    )
    return d.ZImagePipeline(
        scheduler=d.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=autoencoder(channels=16, shift_factor=0.1159, scaling_factor=0.3611),
        text_encoder=t.Qwen3Model(config),
        tokenizer=tokenizer,
        transformer=d.ZImageTransformer2DModel(
            all_patch_size=(2,),
            all_f_patch_size=(1,),
            in_channels=16,
            dim=32,
            n_layers=1,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            cap_feat_dim=16,
            axes_dims=[8, 4, 4],
            axes_lens=[512, 64, 64],
        ),
    )


MAKERS = {"sd": sd, "sdxl": sdxl, "sd3": sd3, "flux": flux, "qwen-image": qwen_image, "z-image": z_image}


def save(family: str, folder: Path) -> Path:
    """A tiny pipeline of `family` in `folder`."""
    torch.manual_seed(0)
    pipeline = MAKERS[family](folder / ".scratch")
    pipeline.save_pretrained(folder)
    return folder
