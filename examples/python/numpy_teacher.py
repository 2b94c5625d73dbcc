"""Distils a teacher that is nothing but NumPy: two functions are all that the library asks of it.

    PYTHONPATH=python-bindings python examples/python/numpy_teacher.py        # after make lib

The teacher learns to tell eight noisy patterns of 8 x 8 pixels apart. The student, a quarter of its size, never sees one.
"""

import numpy as np

import dafl

CLASSES, HIDDEN = 8, 64


class Classifier:
    """images [n,1,8,8] -> hidden [n,64] with ReLU -> logits [n,8]."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.w1 = generator.standard_normal((64, HIDDEN), np.float32) * np.float32(np.sqrt(2 / 64))
        self.w2 = generator.standard_normal((HIDDEN, CLASSES), np.float32) * np.float32(np.sqrt(1 / HIDDEN))

    def forward(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits, and the hidden layer as the features."""
        hidden = np.maximum(images.reshape(len(images), 64) @ self.w1, 0)
        return hidden @ self.w2, hidden

    def backward(self, images: np.ndarray, logits_gradient: np.ndarray, features_gradient: np.ndarray) -> np.ndarray:
        """The gradient by the images, given those by the logits and by the features."""
        active = images.reshape(len(images), 64) @ self.w1 > 0
        return (((logits_gradient @ self.w2.T + features_gradient) * active) @ self.w1.T).reshape(images.shape)

    def train(self, images: np.ndarray, labels: np.ndarray, steps: int = 300, rate: float = 0.1) -> None:
        """Plain gradient descent on the cross entropy."""
        for _ in range(steps):
            logits, hidden = self.forward(images)
            error = np.exp(logits - logits.max(1, keepdims=True))
            error /= error.sum(1, keepdims=True)
            error[np.arange(len(labels)), labels] -= 1
            error /= len(labels)
            hidden_error = error @ self.w2.T * (hidden > 0)
            self.w2 -= rate * hidden.T @ error
            self.w1 -= rate * images.reshape(len(images), 64).T @ hidden_error


def main() -> None:
    generator = np.random.default_rng(0)
    patterns = generator.standard_normal((CLASSES, 1, 8, 8), np.float32)
    labels = generator.integers(0, CLASSES, 4000)
    images = patterns[labels] + generator.standard_normal((4000, 1, 8, 8), np.float32)
    classifier = Classifier(generator)
    classifier.train(images[:3000], labels[:3000])
    teacher = dafl.Teacher(classifier.forward, classifier.backward, input_shape=(1, 8, 8), classes=CLASSES, features=HIDDEN)

    distillation = dafl.Distillation(teacher, student=f"mlp-64-16-{CLASSES}", steps=200, batch_size=128, generator_width=16,
                                     latent_size=32, replay_capacity=10_000)
    distillation.run(lambda progress: print(f"\rstep {progress.step} of {progress.steps}", end="", flush=True))
    student = distillation.student()

    images, labels = images[3000:], labels[3000:]
    answers = classifier.forward(images)[0].argmax(1)
    print(f"\nteacher's accuracy on images that neither has seen: {(answers == labels).mean():.1%}")
    print(f"student's accuracy on them: {student.evaluate(images.reshape(-1, 64), labels):.1%}")
    print(f"share on which both agree:  {student.evaluate(images.reshape(-1, 64), answers):.1%}")


if __name__ == "__main__":
    main()
