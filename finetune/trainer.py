"""TRL's SFT trainer with our head, and with held-out losses that weigh every token alike."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers.trainer_utils import EvalLoopOutput
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling, SFTTrainer

from finetune.config import Config
from finetune.data import Split
from finetune.loss import add_scored_head
from finetune.model import Base


class CounselTrainer(SFTTrainer):
    """Trains an adapter on splits that are token ids and labels already.

    ``evaluate()`` gives ``eval_loss`` (nats per token of what assistants say, the stop token left out, all tokens of the split
    weighed alike; transformers averages the means of batches) and ``eval_bpb`` (bits per UTF-8 byte, which does not depend on the
    tokenizer or the layout; as nanochat has it).
    """

    def __init__(
        self, config: Config, base: Base, model: Any, train: Split, validation: Split | None, args: SFTConfig, stop_id: int
    ) -> None:
        self.config = config
        self.stop_id = stop_id
        self.validation = validation
        self.tokens = 0
        """Tokens trained on, padding not counted."""
        collator = None
        if not config.train.packing:  # TRL brings its own for packed rows
            collator = DataCollatorForLanguageModeling(base.tokenizer.pad_token_id, pad_to_multiple_of=config.data.pad_to)
        super().__init__(
            model=model,
            args=args,
            data_collator=collator,
            train_dataset=Dataset.from_dict(train.columns()),
            eval_dataset=Dataset.from_dict(validation.columns()) if validation else None,
            processing_class=base.tokenizer,
        )
        self.tuned = cast(Any, self.model)
        # TRL keeps the adapters of a 4-bit base in bfloat16, where small updates round to nothing
        for parameter in self.tuned.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        add_scored_head(self.tuned.get_base_model())

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Nats per scored token of the whole update."""
        self.tokens += int(inputs["attention_mask"].sum()) if "attention_mask" in inputs else inputs["input_ids"].numel()
        if self.config.train.head == "full":
            outputs = model(**inputs, use_cache=False, num_items_in_batch=num_items_in_batch)
            loss: Tensor = outputs.loss
        else:
            outputs = model(**inputs, scored_head=True)
            items = outputs.losses.numel() if num_items_in_batch is None else num_items_in_batch
            loss = outputs.losses.sum() / torch.as_tensor(items).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def evaluation_loop(
        self,
        dataloader: Any,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> EvalLoopOutput:
        """Sum the losses of all tokens, one row a batch."""
        was_training = self.tuned.training
        self.tuned.eval()
        nats, tokens, rows = 0.0, 0, 0
        for batch in dataloader:
            inputs = self._prepare_inputs(batch)
            with torch.no_grad():
                outputs = self.tuned(**inputs, scored_head=True)
            said = outputs.labels != self.stop_id
            row = torch.stack([outputs.losses[said].sum().double(), said.sum().double()])
            for of_row in self.accelerator.gather_for_metrics(row[None]):
                nats, tokens, rows = nats + of_row[0].item(), tokens + int(of_row[1]), rows + 1
            self.control = self.callback_handler.on_prediction_step(self.args, self.state, self.control)
        self.tuned.train(was_training)
        metrics = {f"{metric_key_prefix}_loss": nats / max(tokens, 1)}
        if self.validation is not None and rows == len(self.validation.encoded):
            metrics[f"{metric_key_prefix}_bpb"] = nats / math.log(2) / self.validation.reply_bytes
        return EvalLoopOutput(predictions=np.empty(0), label_ids=None, metrics=metrics, num_samples=rows)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """The adapter alone; transformers would add 33 MB of tokenizer to every checkpoint."""
        self.tuned.save_pretrained(output_dir or self.args.output_dir, state_dict=state_dict, save_embedding_layers=False)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """None: the card is written once, with the export."""


def training_arguments(config: Config, steps_per_epoch: int, *, cpu: bool) -> SFTConfig:
    """What ``config`` means to transformers."""
    train = config.train
    every = max(1, round(steps_per_epoch / train.evaluations_per_epoch))
    held_out = config.data.validation is not None
    return SFTConfig(
        output_dir=str(train.output),
        seed=train.seed,
        data_seed=train.seed,
        num_train_epochs=train.epochs,
        max_steps=train.max_steps or -1,
        per_device_train_batch_size=train.batch_size,
        per_device_eval_batch_size=1,
        gradient_accumulation_steps=train.accumulation,
        learning_rate=train.lr,
        lr_scheduler_type=train.schedule,
        warmup_steps=train.warmup,  # a share, below 1
        weight_decay=train.weight_decay,
        max_grad_norm=train.max_grad_norm,
        optim=train.optimizer,
        gradient_checkpointing=train.checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False} if train.checkpointing else None,
        packing=train.packing,
        eval_packing=False,
        max_length=config.data.max_tokens if train.packing else None,
        bf16=config.model.dtype == "bfloat16" and not cpu,  # on a CPU the weights' own type decides, without autocast
        use_cpu=cpu,
        eval_strategy="steps" if held_out else "no",
        eval_steps=every,
        eval_on_start=held_out,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=train.keep,
        load_best_model_at_end=held_out,
        metric_for_best_model="eval_loss" if held_out else None,
        greater_is_better=False if held_out else None,
        logging_steps=train.logging_steps,
        logging_first_step=True,
        disable_tqdm=True,
        report_to=_trackers(),
        dataloader_pin_memory=not cpu,
        dataset_kwargs=None if train.packing else {"skip_prepare_dataset": True},
        include_num_input_tokens_seen="no",
    )


def _trackers() -> list[str]:
    """TensorBoard and trackio, where they are installed."""
    from importlib.util import find_spec

    return [name for name in ("tensorboard", "trackio") if find_spec(name)]
