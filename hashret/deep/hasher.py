"""DeepHasher: a network that turns images, or vectors, into codes."""

from __future__ import annotations

import copy
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ..checks import check_int
from ..codes import check_bits, pack
from ..errors import ParameterError, ShapeError
from ..files import write_bytes
from ..ranking import HasRanking
from ..types import Codes, Floats
from .losses import Loss, make_loss
from .model.copying import check_not_meta, copied
from .model.devices import find_device, moved
from .model.encoding import encode, tapped
from .model.hash_model import HashModel
from .model.inputs import as_inputs
from .model.isolation import seeded
from .model.networks import make_network
from .model.trial import check_apart, try_out
from .parameters import Parametrised
from .saving.encoder import Encoder, read_encoder
from .saving.export import as_onnx
from .saving.states import changed_since, check_round_trip, hidden
from .saving.storage import Card, as_json
from .training.card import make_card
from .training.examples import Examples
from .training.loop import train
from .training.progress import Report, reporter
from .training.settings import Hyperparameters, Settings

__all__ = ["DeepHasher"]


@dataclass(eq=False, repr=False)
class DeepHasher(HasRanking, Parametrised, Hyperparameters):
    """A deep encoder: images to codes, learned from labels, from features, or from images alone.

    In place of images it takes vectors, such as the embeddings of a trained network; each
    of their columns is standardised, and they are not changed as images are.

    Parameters
    ----------
    network : str or torch.nn.Module
        A name from :func:`~hashret.deep.network_names` ("linear" and "mlp" take vectors,
        the others images), or a module from float images (n, channels, height, width), or
        vectors (n, d), to features (n, m), of which `fit` trains a copy.
    loss : str or Loss
        A name from :func:`~hashret.deep.loss_names`, or a loss with its options, such
        as ``DSH(alpha=0.005)``.
    bits : int
        Length of a code, 1 to 4096.
    epochs, batch_size : int
        Passes over the images, and images a step.
    learning_rate : float
        Peak of the one-cycle rate of AdamW.
    head_rate : float
        Rate of the hash layer, and of what the loss itself trains, as a multiple of the
        network's. 10 is usual where the network was trained before.
    weight_decay : float
    flip : bool
        Mirror half of the training images left to right: right for clothes and
        photographs, wrong for text.
    shift : int
        Move each training image by up to so many pixels.
    cutout : int
        Side of a square that is blackened in half of the training images.
    mirror : bool
        Encode an image by the mean of its outputs and its mirror image's, which takes twice
        the time.
    nudge : int
        Encode an image by the mean of its outputs and those of the image moved by so many
        pixels up, down, left and right, which takes five times the time.
    ema : float, optional
        Decay of a moving average of the weights, which is then what is kept.
    validation : float
        Share of the labelled images that is held out from training. Each epoch is scored by
        the mean average precision of looking for each of these among the others, and the
        weights of the best epoch are kept. 0 holds out none and keeps the last epoch's.
    patience : int, optional
        Stop after so many epochs without a better score.
    device : str
        "auto" is the GPU if torch finds one, else the CPU; or a device as torch names it.
    precision : {"auto", "float32", "bfloat16"}
        Of the network during training. "auto" is bfloat16 on a GPU that has it and
        float32 on a CPU, where bfloat16 convolutions proved slower.
    random_state : int, optional
        With a seed, training on the same machine with the same number of threads gives
        the same weights, bit for bit.
    progress : "auto", None or callable
        "auto" draws a bar if the standard error is a terminal and rich is installed; a
        callable gets a :class:`~hashret.deep.Progress` after every step.

    Attributes
    ----------
    classes_ : ndarray
        The distinct labels, sorted; empty if the loss learns without labels.
    input_shape_ : tuple of int
        Height, width and channels of the images, or length of the vectors.
    history_ : list of dict
        A row for every epoch: epoch, loss and bit_balance (means over its steps),
        learning_rate (its last), validation_map (with `validation`), seconds.
    card_ : dict
        What the encoder was made from and how well it did: data, training, scores, versions.
        :meth:`save` keeps it in the file; put in what else should be known.

    Examples
    --------
    >>> images = np.zeros((64, 8, 8), np.uint8)
    >>> labels = np.arange(64) % 2
    >>> images[labels == 1, :, 4:] = 255
    >>> hasher = DeepHasher(bits=8, epochs=4, batch_size=16, random_state=0)
    >>> codes = hasher.fit(images, labels).transform(images)
    >>> codes.shape, len(np.unique(codes))
    ((64, 1), 2)

    Embeddings, of which the signs of the first four values are the classes:

    >>> vectors = np.random.default_rng(0).normal(size=(256, 32))
    >>> labels = (vectors[:, :4] > 0) @ [8, 4, 2, 1]
    >>> hasher = DeepHasher("linear", bits=8, epochs=20, batch_size=64, random_state=0)
    >>> hasher.fit(vectors, labels).transform(vectors).shape
    (256, 1)
    """

    network: str | nn.Module = "small-cnn"
    loss: str | Loss = "dsh"
    bits: int = 16
    _: KW_ONLY
    mirror: bool = False
    nudge: int = 0
    device: str = "auto"
    precision: str = "auto"
    random_state: int | None = None
    progress: Report | str | None = "auto"

    def fit(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike | None = None,
        *,
        features: npt.ArrayLike | None = None,
        checkpoint: str | Path | None = None,
        log: str | Path | None = None,
    ) -> Self:
        """Train on images and what the loss learns from.

        Trainings in several threads run one after another, since torch has one generator of
        random numbers for all; it is left as it was.

        Parameters
        ----------
        images : array_like
            uint8 (n, height, width) or (n, height, width, 3), or vectors of real numbers (n, d).
        labels : array_like, shape (n,) or (n, classes), optional
            Integers or strings; images of equal labels are similar. -1, None or NaN says
            that an image's label is missing. Or a table of 0 and 1, whose column numbers
            are the classes, where images that share one are similar; a whole row of these
            says that its labels are missing. See :mod:`hashret.evaluation.labels`. Most
            losses leave images without labels out. A loss that learns without labels
            ignores all of them.
        features : array_like of real, shape (n, d), optional
            Vectors of the images, such as a trained network's, for a loss that learns
            from them; other losses ignore them. By default `images`, if these are vectors.
        checkpoint : path, optional
            A file to write after every epoch. If it exists, training goes on from there
            and gives the same weights, bit for bit; give a `random_state` with it.
        log : path, optional
            A file that gets the rows of `history_`, a line of JSON after every epoch. What
            it held before is replaced.

        Raises
        ------
        ShapeError, DTypeError, ParameterError
            If images, labels, features or a parameter are unfit, or what the loss learns
            from is missing; what was fitted before stays.
        CodeError
            If a vector or a feature holds NaN or infinity.
        TrainingError
            If outputs, loss or weights become NaN or infinite; names epoch and step. The
            checkpoint stays as it was after the last good epoch.
        """
        inputs = as_inputs(images)
        loss = copy.deepcopy(self.loss) if isinstance(self.loss, Loss) else make_loss(self.loss)
        device = find_device(self.device)
        settings = Settings.of(self, self.precision, self.random_state, device)
        if checkpoint is not None and self.random_state is None:
            raise ParameterError("random_state: a run with a checkpoint needs a seed, got None")
        examples = Examples.of(loss, inputs, labels, features, settings)
        shape = tuple(inputs.shape[1:])
        with seeded(settings.seed, device), reporter(self.progress) as report:
            loss.setup(check_bits(self.bits), len(examples.classes))
            model = self._new_model(loss, shape, device)
            before = {key: value.clone() for key, value in hidden(model.network).items()}
            model.standardise(examples.inputs)
            run = train(
                moved(model, device),
                loss.to(device),
                examples,
                settings,
                report,
                None if checkpoint is None else Path(checkpoint),
                None if log is None else Path(log),
            )
        card = make_card(run, settings, examples, device.type)
        kept = run.finish()
        learned = changed_since(before, kept.network)
        self._keep(Encoder(kept, loss, self.network, shape, examples.classes, learned), card)
        self.history_ = run.history
        loss.end_training()
        return self

    def _new_model(self, loss: Loss, shape: tuple[int, ...], device: torch.device) -> HashModel:
        """Return a model to train; random draws come from torch's global generator."""
        if isinstance(self.network, nn.Module):
            check_not_meta(self.network, "network")
            network = copied(self.network, "network")
            check_apart(network, self.network)
            network.to(device)
        else:
            network = make_network(self.network, shape)
        model = HashModel(network, shape, loss.outputs, loss.batch_norm, self.mirror, self.nudge)
        check_round_trip(network, "network")
        if isinstance(self.network, nn.Module):
            try_out(network, self.network, shape)
        return model

    def _keep(self, encoder: Encoder, card: Card) -> None:
        """Take what was fitted, of which parameters that are set later change nothing."""
        self._encoder, self.card_, self._ranking = encoder, card, None
        self.classes_, self.input_shape_ = encoder.classes, encoder.input_shape

    def _fitted(self) -> Encoder:
        if not hasattr(self, "_encoder"):
            raise ParameterError("DeepHasher: not fitted yet, call fit or load first")
        return self._encoder

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_encoder")

    def project(self, images: npt.ArrayLike, *, batch_size: int = 1024) -> npt.NDArray[np.float32]:
        """Return the margins of the bits: a bit is 1 where its margin is > 0.

        With the networks that come with hashret, on a CPU and with the same number of threads,
        an image's margins are the same whatever it is encoded with, to the last digit. With
        others they are as much its own as their layers make them.

        Parameters
        ----------
        images : array_like
            Of the size and the number of channels that the encoder was fitted on, or vectors
            of that length.
        batch_size : int
            Images that go through the network at once.

        Returns
        -------
        margins : ndarray of float32, shape (n, bits)
        """
        return self._encode(images, batch_size, margins=True)

    def outputs(self, images: npt.ArrayLike, *, batch_size: int = 1024) -> npt.NDArray[np.float32]:
        """Return what the margins are made from: of a classifier, the logits of :attr:`classes_`.

        Parameters
        ----------
        images, batch_size
            As in :meth:`project`.

        Returns
        -------
        outputs : ndarray of float32, shape (n, outputs)
            Of most losses these are the margins.
        """
        return self._encode(images, batch_size, margins=False)

    def probabilities(self, images: npt.ArrayLike, *, batch_size: int = 1024) -> Floats:
        """Return how probable each of :attr:`classes_` is, as a classifier sees it: its softmax.

        Parameters
        ----------
        images, batch_size
            As in :meth:`project`.

        Returns
        -------
        probabilities : ndarray of float64, shape (n, n_classes)

        Raises
        ------
        ParameterError
            If the loss is not ``"classifier"``, whose outputs are no logits.
        """
        name = self._fitted().loss.name
        if name != "classifier":
            raise ParameterError(f'probabilities: expected the loss "classifier", got {name!r}')
        logits = self.outputs(images, batch_size=batch_size).astype(np.float64)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: Floats = powers / powers.sum(axis=1, keepdims=True)
        return probabilities

    def features(self, images: npt.ArrayLike, *, batch_size: int = 1024) -> npt.NDArray[np.float32]:
        """Return what the hash layer is given, the penultimate layer's values.

        Of the network "linear" these are the vectors, each column standardised.

        Parameters
        ----------
        images, batch_size
            As in :meth:`project`.

        Returns
        -------
        features : ndarray of float32, shape (n, m)
        """
        inputs = self._checked(images)
        batch_size = check_int("batch_size", batch_size, 1)
        return tapped(self._fitted().model, inputs, batch_size).numpy()

    def _encode(
        self, images: npt.ArrayLike, batch_size: int, margins: bool
    ) -> npt.NDArray[np.float32]:
        encoder, inputs = self._fitted(), self._checked(images)
        batch_size = check_int("batch_size", batch_size, 1)
        return encode(encoder.model, encoder.loss, inputs, batch_size, margins=margins).numpy()

    def _checked(self, images: npt.ArrayLike) -> torch.Tensor:
        """Return images as inputs, or raise unless they are like those of fit."""
        encoder, inputs = self._fitted(), as_inputs(images)
        shape, expected = tuple(inputs.shape[1:]), encoder.input_shape
        if shape != expected:
            form = "vectors of length" if len(expected) == 1 else "height, width, channels"
            raise ShapeError(f"images: expected {form} {expected} as in fit, got {shape}")
        return inputs

    def transform(self, images: npt.ArrayLike, *, batch_size: int = 1024) -> Codes:
        """Return the packed codes of images, uint8 of shape (n, ceil(bits / 8))."""
        return pack(self.project(images, batch_size=batch_size))

    @property
    def code_bits(self) -> int:
        """Length of a code; after fitting, of the codes it makes."""
        return self._encoder.loss.bits if hasattr(self, "_encoder") else check_bits(self.bits)

    @property
    def codes_fingerprint(self) -> str:
        """SHA-256 of weights and configuration: equal fingerprints give equal codes."""
        return self._fitted().fingerprint

    def save(self, path: str | Path) -> None:
        """Write the encoder to one safetensors file, atomically.

        The configuration, :attr:`card_` and :attr:`ranking` are JSON in the file's metadata. A
        network that was given as a module is kept as weights only.

        Raises
        ------
        ParameterError
            If the card holds what JSON cannot.
        """
        self._fitted().write(path, self.card_, self.ranking)

    def export_onnx(self, path: str | Path) -> None:
        """Write the encoder as an ONNX model of opset 18 and IR version 8, atomically.

        Its input, of any batch size, is "images", uint8 (n, height, width, channels), where
        grey images have one channel; or "vectors", float32 (n, d). Its outputs are "margins",
        float32 (n, bits), and "codes", uint8 (n, ceil(bits / 8)), as :meth:`transform` packs
        them. A margin very near 0 may fall on its other side in another runtime. The
        model's properties hold ``hashret.bits``, ``hashret.fingerprint``, ``hashret.card``
        and, if there is one, ``hashret.ranking``, as JSON.

        Raises
        ------
        MissingExtraError
            If the extra `onnx` is not installed.
        """
        encoder = self._fitted()
        known = {
            "bits": self.code_bits,
            "fingerprint": self.fingerprint,
            "card": as_json(self.card_),
            **({} if self.ranking is None else {"ranking": self.ranking.as_dict()}),
        }
        write_bytes(path, as_onnx(encoder.model, encoder.loss, encoder.input_shape, known))

    @classmethod
    def load(
        cls, path: str | Path, *, network: nn.Module | None = None, device: str = "auto"
    ) -> Self:
        """Read an encoder that :meth:`save` wrote.

        Parameters
        ----------
        network : Module, optional
            Needed if the encoder was fitted with a module: one of the same form, whose
            weights are replaced in a copy.

        Raises
        ------
        FormatError
            If the file is damaged or no deep encoder. Nothing in it is executed.
        ParameterError
            If `network` is missing or of another form; names the tensors that differ.
        """
        encoder, card, ranking = read_encoder(path, network)
        model, loss = encoder.model, encoder.loss
        hasher = cls(
            encoder.network,
            make_loss(loss.name, **loss.options()),
            loss.bits,
            mirror=model.mirror,
            nudge=model.nudge,
            device=device,
        )
        target = find_device(device)
        moved(model, target)
        loss.to(target)
        hasher._keep(encoder, card)
        hasher.ranking = ranking
        return hasher
