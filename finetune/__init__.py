"""Training Jindam's counsellor: Gemma 3 and a LoRA adapter, on a GPU or on a bare CPU."""
