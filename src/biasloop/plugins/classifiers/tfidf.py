"""The linear classifier: TF-IDF of word and character n-grams, one logistic regression per label.

It trains in seconds on a CPU.
"""

from collections.abc import Sequence
from pathlib import Path

from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers.encoded import EncodedClassifier
from biasloop.plugins.classifiers.options import TfidfOptions
from biasloop.plugins.classifiers.terms.term_encoder import TermEncoder, files_hash


class Tfidf(EncodedClassifier):
    """See EncodedClassifier. The seed decides the folds; all else is deterministic."""

    options_model = TfidfOptions
    options: TfidfOptions

    def encoder_key(self) -> str:
        """A key of the n-gram lengths and the language data."""
        options = self.options
        language = files_hash(options.language) if options.language else ""
        return f"tfidf-{options.shortest}-{options.longest}-{language}"

    def make_encoder(self, texts: Sequence[str], unlabelled: Sequence[str] = ()) -> TermEncoder:
        """See ports.EncoderClassifier. Raises ClassifierError when no text contains a word."""
        options = self.options
        encoder = TermEncoder.fit(
            texts,
            unlabelled,
            shortest=options.shortest,
            longest=options.longest,
            language=options.language,
        )
        if not encoder.vocabularies["chars"]:
            raise ClassifierError(
                f"the {len(texts)} training texts contain no words; check the imported files"
            )
        return encoder

    @staticmethod
    def load_encoder(folder: Path) -> TermEncoder:
        """See TermEncoder.load."""
        return TermEncoder.load(folder)
