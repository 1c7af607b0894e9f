"""The callbacks run in the real frameworks, and what they write agrees with the model."""

import numpy as np
import pytest

import topograph as tg

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

X = torch.randn(64, 20, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


def network():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(20, 15), torch.nn.ReLU(), torch.nn.Linear(15, 2))
    masks = tg.MaskSet.build(model, "random_regular", density=0.3, seed=0)
    masks.apply_to(model)
    return model, masks


def check(tracker, model, masks, epochs, *names):
    table = tracker.table()
    assert sorted(set(table.step)) == epochs
    for layer, graph in masks.items():
        assert set(table[(table.layer == layer) & (table.metric == "n_edges")].value) == {graph.n_edges}
    logged = set(table[table.layer == "network"].metric)
    assert logged >= set(names), logged
    audit = tracker.audit()
    assert set(audit[audit.check == "mask"].verdict) == {"ok"}
    assert set(audit[audit.check == "evaluation"].verdict) == {"ok"}
    assert dict(tg.load(model)) == dict(masks)


@pytest.mark.filterwarnings("ignore")
def test_lightning(tmp_path):
    lightning = pytest.importorskip("lightning.pytorch", reason="Lightning is not installed: pip install lightning")
    model, masks = network()

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.network = model

        def loss(self, batch):
            x, y = batch
            return torch.nn.functional.cross_entropy(self.network(x), y)

        def training_step(self, batch, _):
            loss = self.loss(batch)
            self.log("train_loss", loss, on_epoch=True)
            return loss

        def validation_step(self, batch, _):
            self.log("val_loss", self.loss(batch))

        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters(), 0.01)

    tracker = tg.Tracker(model, ["density"])
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), batch_size=16)
    trainer = lightning.Trainer(
        max_epochs=3,
        callbacks=[tracker.callback("lightning")],
        accelerator="cpu",
        default_root_dir=tmp_path,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(), loader, loader)
    check(tracker, model, masks, [0, 1, 2], "train_loss", "val_loss")


@pytest.mark.filterwarnings("ignore")
def test_hugging_face(tmp_path):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: pip install transformers")
    pytest.importorskip("accelerate", reason="accelerate is not installed: pip install accelerate")
    model, masks = network()

    class Classifier(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = model

        def forward(self, x, labels=None):
            logits = self.network(x)
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    data = [{"x": x, "labels": y} for x, y in zip(X, Y, strict=True)]
    tracker = tg.Tracker(model, ["density"])
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        num_train_epochs=2,
        eval_strategy="epoch",
        save_strategy="no",
        logging_strategy="epoch",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    watch = tracker.callback("transformers")
    trainer = transformers.Trainer(Classifier(), arguments, None, data, data, callbacks=[watch])
    trainer.train()
    check(tracker, model, masks, [1, 2], "loss", "eval_loss")
    for log in trainer.state.log_history:  # each number stands beside the epoch it belongs to
        for name in {"loss", "eval_loss"} & set(log):
            assert tracker.wide(name).at[round(log["epoch"]), "network"] == pytest.approx(log[name])


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_keras():
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(15, name="a"), keras.layers.Dense(2, name="b")])
    model.compile("adam", "mse")
    masks = tg.MaskSet.build(model, "random_regular", density=0.3)
    masks.apply_to(model)
    tracker = tg.Tracker(model, ["density"])
    x, y = np.asarray(X), np.eye(2, dtype="f4")[np.asarray(Y)]
    model.fit(x, y, epochs=2, validation_data=(x, y), callbacks=[tracker.callback("keras")], verbose=0)
    check(tracker, model, masks, [0, 1], "loss", "val_loss")
