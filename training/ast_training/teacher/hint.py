"""Hints: a student learns to make of a sound what its teacher makes of it (FitNets).

Scores of hundreds of labels are nearly all close to zero and teach little each; what lies before
them is different for every sound.
"""

import torch
from torch import Tensor, nn

from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.spec import ModelSpec
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.teacher.grid import WINDOWS, step_middles

SECONDS = min(WINDOWS)
"""Of sound around each of the teacher's moments: short windows say when."""


class Hint(nn.Module):
    """Guesses a teacher's features from a student's tokens; serves in training only.

    After Romero et al. 2015, arXiv 1412.6550, with a linear layer as the regressor.
    """

    def __init__(self, spec: ModelSpec, fbank: FbankSpec, features: int) -> None:
        """Take the student, its front end and the number of the teacher's features."""
        super().__init__()
        self.clip = nn.Linear(spec.width, features)
        self.steps = nn.Linear(spec.width, features)
        self.scale = nn.BatchNorm1d(features, affine=False)
        """Of the teacher's features: those that hardly move would else teach nothing."""
        middles = torch.arange(spec.steps) * spec.stride[1] + spec.patch[1] / 2
        moments = torch.from_numpy(step_middles(fbank.samples_in(spec.frames)))
        if not spec.frame_head:
            moments = moments[:0]
        apart = moments[:, None] - middles * fbank.frame_shift / fbank.sample_rate
        self.register_buffer("_near", apart.abs() <= SECONDS / 2, persistent=False)

    def forward(self, tokens: Tensor, kept: Tensor) -> Tensor:
        """Guess the features of the clip and around each moment (batch, 1 + moments, features).

        Args:
            tokens: of the network, two and one for each step that was kept (batch, tokens, width).
            kept: which steps these are.
        """
        tokens = tokens[..., : self.clip.in_features]  # without what a stem tells
        clip = self.clip(tokens[:, :2].mean(dim=1, keepdim=True))
        near = self.get_buffer("_near")[:, kept]
        shares = near / near.sum(dim=1, keepdim=True).clamp(min=1)
        return torch.cat([clip, self.steps(shares @ tokens[:, 2:].float())], dim=1)

    def losses(self, guess: Tensor, heard: Tensor) -> Tensor:
        """Compute the mean squared error of each example's guess (batch,), scale by scale."""
        wanted = self.scale(heard.flatten(0, 1)).view_as(heard)
        error: Tensor = (guess - wanted).square().mean(dim=(1, 2))
        return error


class Learner(nn.Module):
    """A network as it is called while it learns: for all that is compared with a target."""

    def __init__(self, model: AudioSpectrogramTransformer, hint: Hint | None) -> None:
        """Take the network, and what guesses a teacher's features from it, if they are learnt."""
        super().__init__()
        self.model, self.hint = model, hint

    def forward(self, fbank: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Return logits of clip and steps, which steps these are, and the guess."""
        tokens, kept = self.model.tokens(fbank)
        guess = self.hint(tokens, kept) if self.hint else None
        return *self.model.logits(tokens), kept, guess
