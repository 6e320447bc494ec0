"""Trains a text classifier, exports it, and cuts it behind its embedding for ucan.

    pip install torch onnx onnxscript onnxruntime
    python docs/examples/text/make.py --out text-tour

writes into the folder
    sentences.onnx    the classifier as exported: ten numbers of words in, scores out
    classifier.onnx   what lies behind its embedding: ten vectors of 16 values in, scores out
    vectors.npy       the embedding of 200 sentences that it has not seen, float32 [N,10,16]
    labels.npy        their labels, int64 [N]
    sentences.txt     the sentences

Numbers of words cannot be perturbed by noise; their vectors can. The sentences are
requests to an assistant, put together here from patterns. A minute on one core.
"""
import argparse
import itertools
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from export_pytorch import strip_metadata

LENGTH, WIDTH = 10, 16  # words of a sentence, values of a word's vector
SIGMA = 0.5             # noise while training; a word's vector has length 1

PATTERNS = {  # of each class; a|b is a choice
    "weather": [
        "will|does it rain|snow|freeze in {town} {day}", "how cold|warm|windy will|does it get {day}",
        "show|give me the forecast|weather for {town} {day}", "do i need an umbrella|coat in {town} {day}"],
    "music": [
        "play|start|queue some|more|loud|soft jazz|rock|folk|piano|dance music",
        "what|which song|track|album is playing now",
        "turn the song|radio|album|music up|down a little|lot|bit|notch",
        "skip|repeat|save|share this|the song|track|album please|now|again"],
    "alarm": [
        "wake me up at {hour} {day}", "set|make an|one alarm|timer for {hour} {day}",
        "cancel|stop|delete the|my alarm|timer for {day}", "remind me to call|pay {person} at {hour}"],
    "travel": [
        "book|find|buy a train|bus|flight|ticket to {town} {day}",
        "when does|will the next train|bus leave for {town}",
        "how long|far is the drive|way to {town}", "show|find me the|a way to the station|airport|harbour"],
    "food": [
        "find|show a cheap|good|quiet restaurant|bakery in {town}", "how do i cook|bake|fry rice|fish|bread|beans",
        "order|buy two|three|four pizzas|sandwiches|coffees for {person}",
        "what|which wine goes with fish|bread|beans"],
    "lights": [
        "switch|turn the lamp|light in the {room} on|off", "make the {room} light|lamp brighter|darker",
        "is the light|lamp in the {room} on|off", "dim|brighten the|all lights|lamps at {hour}"],
}
WORDS = {
    "town": "oslo|riga|porto|lyon|turin", "day": "today|tomorrow|tonight|monday|friday|sunday",
    "hour": "six|seven|eight|nine|noon", "person": "anna|omar|chen|ines|paul", "room": "kitchen|hall|bedroom|cellar",
}


def sentence(pattern, rng):
    return [rng.choice(word.split("|")) for word in pattern.format_map(WORDS).split()]


def sentences(count, rng):
    """Returns distinct sentences, lists of words, and their labels."""
    found = {}
    for label in itertools.cycle(range(len(PATTERNS))):
        if len(found) == count:
            break
        words = sentence(rng.choice(list(PATTERNS.values())[label]), rng)
        found[" ".join(words)] = label
    return [text.split() for text in found], np.array(list(found.values()))


class Sentences(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.embedding = nn.Embedding(words, WIDTH, padding_idx=0)
        self.mix = nn.Conv1d(WIDTH, 64, 3, padding=1)
        self.head = nn.Linear(64, len(PATTERNS))

    def behind(self, vectors):
        return self.head(F.relu(self.mix(vectors.transpose(1, 2))).mean(2))

    def forward(self, numbers):
        return self.behind(self.embedding(numbers))


def train(net, numbers, labels, epochs):
    optimiser = torch.optim.AdamW(net.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(labels)).split(64):
            vectors = F.normalize(net.embedding(numbers[batch]), dim=2)  # length 1, or 0 for no word
            loss = F.cross_entropy(net.behind(vectors + SIGMA * torch.randn_like(vectors)), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    with torch.no_grad():
        net.embedding.weight.copy_(F.normalize(net.embedding.weight, dim=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to")
    parser.add_argument("--epochs", type=int, default=60)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    rng = np.random.default_rng(0)
    texts, labels = sentences(900, rng)
    number = {word: k for k, word in enumerate(sorted(set(itertools.chain(*texts))), 1)}
    numbers = np.array([[number[word] for word in text] + [0] * (LENGTH - len(text)) for text in texts])
    order = rng.permutation(len(texts))
    learn, test = order[:700], order[700:]

    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = Sentences(len(number) + 1)
    train(net, torch.tensor(numbers[learn]), torch.tensor(labels[learn]), args.epochs)

    whole, tail = args.out / "sentences.onnx", args.out / "classifier.onnx"
    torch.onnx.export(
        net.eval(), (torch.tensor(numbers[:2]),), whole, input_names=["words"], output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},), dynamo=True, external_data=False)
    strip_metadata(whole)

    # The embedding is the Gather that reads the numbers of the words.
    cut = next(node.output[0] for node in onnx.load(whole).graph.node if "words" in node.input)
    onnx.utils.extract_model(whole, args.out / "embedding.onnx", ["words"], [cut])
    onnx.utils.extract_model(whole, tail, [cut], ["logits"])

    head = onnxruntime.InferenceSession(args.out / "embedding.onnx")
    vectors = head.run(None, {"words": numbers[test]})[0]
    scores = onnxruntime.InferenceSession(tail).run(None, {cut: vectors})[0]
    print(f"{len(number)} words; held out: {np.sum(scores.argmax(1) == labels[test])} of {len(test)} right")
    table = net.embedding.weight.detach()[1:]
    apart = torch.cdist(table, table) + 9 * torch.eye(len(table))
    near = apart.min(1).values
    print(f"the nearest other word lies {near.min():.2f} to {near.max():.2f} away, median {near.median():.2f}")
    (args.out / "embedding.onnx").unlink()
    np.save(args.out / "vectors.npy", vectors)
    np.save(args.out / "labels.npy", labels[test])
    (args.out / "sentences.txt").write_text("".join(" ".join(texts[k]) + "\n" for k in test))


if __name__ == "__main__":
    main()
