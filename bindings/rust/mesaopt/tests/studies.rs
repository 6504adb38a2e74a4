//! Studies, decoders, prompts, hooks and bytes from safe code. Expected values are properties, differences, or exact by design.
use mesaopt::*;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

const SMALL: [(&str, &str); 3] = [("dim", "4"), ("length", "12"), ("tokens", "constructed")];

fn small(ctx: &Context, blocks: &str) -> (Model, Task) {
    let mut model = Model::new(ctx, &[("inputs", "16"), ("outputs", "4"), ("dtype", "f64")]).unwrap();
    model.add_text(blocks).unwrap();
    (model, Task::new(ctx, &SMALL).unwrap())
}

/// Numbers in [-1, 1] that repeat late.
fn noise(n: usize, seed: u64) -> Vec<f64> {
    let mut x = seed;
    (0..n).map(|_| { x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407); (x >> 33) as f64 / (1u64 << 30) as f64 - 1.0 }).collect()
}

#[test]
fn probes_find_linear_maps() {
    let ctx = Context::new(&[]).unwrap();
    let (b, t, d) = (40, 3, 4);
    let h = noise(b * t * d, 1);
    let y: Vec<f64> = h.chunks(d).flat_map(|h| [2.0 * h[0] - 3.0 * h[3] + 0.5, h[1]]).collect();
    let moved: Vec<f64> = y.iter().map(|y| y + 1.0).collect();
    let mut probe = Probe::new(&ctx, &[d], t, 2, &[("intercept", "1")]).unwrap();
    let (hv, yv) = (View::new(&h, &[b, t, d]).unwrap(), View::new(&y, &[b, t, 2]).unwrap());
    probe.feed(Set::Train, &[hv], yv, None).unwrap();
    assert!(matches!(probe.feed(Set::Train, &[hv, hv], yv, None), Err(Error::Argument(t)) if t.starts_with("activations: 2")));
    probe.fit(&[]).unwrap();
    probe.feed(Set::Test, &[hv], View::new(&moved, &[b, t, 2]).unwrap(), None).unwrap();
    let (w, c) = probe.weights(0, 2).unwrap();
    let near = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!(near(&w, &[2.0, 0.0, 0.0, 1.0, 0.0, 0.0, -3.0, 0.0]) && near(&c, &[0.5, 0.0]), "{w:?} {c:?}");
    let (mse, r2) = probe.score(Set::Train).unwrap();
    assert!(near(&mse, &[0.0; 3]) && near(&r2, &[1.0; 3]));
    assert!(near(&probe.score(Set::Test).unwrap().0, &[1.0; 3]));        // half of 1 + 1
    assert_eq!((probe.count(Set::Train).unwrap(), probe.rank().unwrap()), (vec![40; 3], vec![4; 3]));
    assert!(matches!(probe.weights(1, 0), Err(Error::Argument(_))));
    probe.reset(Set::Train).unwrap();
    let header = r#"{"h":{"dtype":"F64","shape":[40,3,4],"data_offsets":[0,3840]},"y":{"dtype":"F64","shape":[40,3,2],"data_offsets":[3840,5760]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.extend(h.iter().chain(&y).flat_map(|x| x.to_le_bytes()));
    probe.feed_from(Set::Train, &file, "h", "y", None, 0, -1).unwrap();
    probe.fit(&[]).unwrap();
    assert_eq!(probe.weights(0, 2), Ok((w, c)));
    assert!(matches!(probe.feed_from(Set::Train, &file[..99], "h", "y", None, 0, -1), Err(Error::Format(_))));
    probe.reset(Set::Train).unwrap();
    assert!(matches!(probe.fit(&[("penalty", "0")]), Err(Error::State(_))));
}

#[test]
fn probes_of_models_have_targets_of_closures() {
    let ctx = Context::new(&[]).unwrap();
    let (model, task) = small(&ctx, "linear(heads=1,key=5,init_sd=0.3)");
    let mut probe = Probe::new(&ctx, &[16, 16], 12, 1, &[]).unwrap();
    let drops = Arc::new(AtomicUsize::new(0));
    let noted = Noted(drops.clone());
    probe.set_targets(move |x, mut y| {                  // the second number of x_t: a constructed token holds it
        let _ = &noted;
        let [b, t, _] = y.shape();
        for (b, t) in (0..b).flat_map(|b| (0..t).map(move |t| (b, t))) {
            y.set(b, t, 0, x.get(b, t, 1));
        }
    }).unwrap();
    probe.feed_model(Set::Train, &model, None, &task, Stream::Train, 0, 64).unwrap();
    probe.feed_model(Set::Test, &model, Some(&[-1, 0]), &task, Stream::Test, 0, 64).unwrap();
    assert!(matches!(probe.feed_model(Set::Test, &model, Some(&[0]), &task, Stream::Test, 0, 64), Err(Error::Argument(_))));
    probe.fit(&[]).unwrap();
    assert!(probe.score(Set::Test).unwrap().0[..12].iter().all(|&x| x < 1e-20));
    probe.set_targets(|_, _| panic!("no targets")).unwrap();
    assert_eq!(drops.load(SeqCst), 1);
    let thrown = catch_unwind(AssertUnwindSafe(|| probe.feed_model(Set::Train, &model, None, &task, Stream::Train, 0, 8))).unwrap_err();
    assert_eq!(thrown.downcast_ref::<&str>(), Some(&"no targets"));
}

struct Noted(Arc<AtomicUsize>);
impl Drop for Noted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn attention_and_sensitivity() {
    let ctx = Context::new(&[]).unwrap();
    let (model, task) = small(&ctx, "softmax(heads=2,key=5,init_sd=0.3); mlp(hidden=8,init_sd=0.3)");
    assert_eq!((model.blocks(), model.heads(0), model.heads(1), model.width(-1), model.shape()), (2, Ok(2), Ok(0), Ok(16), Ok([16, 4])));
    let map = model.attention_map(0, &task, Stream::Test, 0, 4).unwrap();
    for (row, w) in map.chunks(12).enumerate() {
        assert!((w.iter().sum::<f64>() - 1.0).abs() < 1e-12 && w[row % 12 + 1..].iter().all(|&w| w == 0.0));
    }
    assert!(matches!(model.attention_map(1, &task, Stream::Test, 0, 4), Err(Error::Unsupported(_))));
    let norms = model.sensitivity(&[-1, 1], &task, Stream::Test, 0, 2).unwrap();
    for (i, &n) in norms.iter().enumerate() {
        let (layer, t, s) = (i / 144, i / 12 % 12, i % 12);
        match layer {                                    // of the tokens themselves: one on the diagonal
            0 => assert_eq!(n, (s == t) as i32 as f64),
            _ => assert_eq!(n > 0.0, s <= t, "{t} {s}"),
        }
    }
}

#[test]
fn linear_attention_learns_softmax() {
    let ctx = Context::new(&[]).unwrap();
    let (model, task) = small(&ctx, "softmax(heads=1,key=5,init_sd=0.3)");
    let mut distilled = Linearise::new(&model, &task, &[0], &[("lr", "0.01"), ("batch", "16")], &[]).unwrap();
    let before = distilled.evaluate(64).unwrap().1[0];
    let mut losses = Vec::new();
    let status = distilled.run_with(200, |s| {
        losses.push(s.loss);
        if s.step == 60 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((status, distilled.steps(), losses.len()), (Ok(Status::Stopped), 60, 60));
    distilled.run(100).unwrap();
    let (ratio, after) = distilled.evaluate(64).unwrap();
    assert!(after[0] < 0.5 * before, "{before} {after:?}");
    let loss = |m: &Model| m.evaluate(&task, Stream::Test, 0, 64).unwrap().0;
    let replaced = distilled.model(None).unwrap();
    assert!((ratio[0] - loss(&replaced) / loss(&model)).abs() < 1e-12 && replaced.text().starts_with("linear("));
    assert_eq!(distilled.block(0).unwrap().shape(), Ok([16, 16]));
    assert!(matches!(Linearise::new(&model, &task, &[7], &[], &[]), Err(Error::Argument(_))));
}

#[test]
fn decoders_are_their_model_step_by_step() {
    let ctx = Context::new(&[]).unwrap();
    let (mut model, mut task) = small(&ctx, "mask(first=8); softmax(heads=2,key=5,init_sd=0.3); linear(heads=1,key=5,init_sd=0.3)");
    let (mut x, mut tokens, mut whole) = (vec![0.0f64; 2 * 13 * 4], vec![0.0f64; 2 * 12 * 16], vec![0.0f64; 2 * 12 * 4]);
    task.draw(Stream::Test, 0, ViewMut::new(&mut x, &[2, 13, 4]).unwrap()).unwrap();
    task.tokens(View::new(&x, &[2, 13, 4]).unwrap(), ViewMut::new(&mut tokens, &[2, 12, 16]).unwrap()).unwrap();
    model.forward(View::new(&tokens, &[2, 12, 16]).unwrap(), ViewMut::new(&mut whole, &[2, 12, 4]).unwrap()).unwrap();
    let room = [("streams", "2"), ("capacity", "12")];
    let mut decoder = Decoder::new(&model, &room).unwrap();
    let mut cut = vec![0.0f64; 2 * 12 * 4];
    let piece = |from: usize, to: usize| View::strided(&tokens, from * 16, &[2, to - from, 16], &[12 * 16, 16, 1]).unwrap();
    for (from, to) in [(0, 7), (7, 8)] {
        let out = ViewMut::strided(&mut cut, from * 4, &[2, to - from, 4], &[48, 4, 1]).unwrap();
        decoder.step(piece(from, to), Some(out)).unwrap();
    }
    let bytes = decoder.to_bytes().unwrap();
    let mut fork = Decoder::new(&model, &room).unwrap();
    fork.copy(&decoder).unwrap();
    let mut opened = Decoder::open_from(&model, &room, &bytes).unwrap();
    let mut ends = [vec![0.0; 32], vec![0.0; 32], vec![0.0; 32]];
    for (d, end) in [&mut decoder, &mut fork, &mut opened].into_iter().zip(&mut ends) {
        d.step(piece(8, 12), Some(ViewMut::new(end, &[2, 4, 4]).unwrap())).unwrap();
    }
    assert!(ends[0] == ends[1] && ends[1] == ends[2]);
    for (i, &e) in ends[0].iter().enumerate() {
        cut[i / 16 * 48 + 32 + i % 16] = e;
    }
    assert!(cut.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-11), "{cut:?} {whole:?}");
    assert!(matches!(decoder.step(piece(0, 1), None), Err(Error::State(_))));          // no room
    decoder.reset(Some(1)).unwrap();
    assert_eq!((decoder.steps(0), decoder.steps(1)), (Ok(12), Ok(0)));
    assert!(decoder.steps(2).is_err());
    std::thread::scope(|s| s.spawn(move || decoder.reset(None).unwrap()).join().unwrap());
}

#[test]
fn prompts_learn_through_a_frozen_model() {
    let ctx = Context::new(&[]).unwrap();
    let mut model = Model::new(&ctx, &[("inputs", "4"), ("outputs", "4"), ("dtype", "f64")]).unwrap();
    model.add_text("softmax(heads=1,key=4,init_sd=0.3)").unwrap();
    let pairs = [("task", "regression"), ("dim", "4"), ("length", "12"), ("tokens", "raw"), ("separator", "1"), ("prefix", "2")];
    let mut prompt = Prompt::new(&ctx, &[("dim", "4"), ("prefix", "2"), ("lr", "0.05"), ("batch", "8")]).unwrap();
    let mut task = Task::new(&ctx, &pairs).unwrap();
    task.set_prompt(Some(&prompt)).unwrap();
    let (loss, separator, prefix) = prompt.gradient(&model, &task, Stream::Train, 0, 8).unwrap();
    assert_eq!((separator.len(), prefix.len()), (4, 8));
    let start = prompt.vectors("prefix").unwrap().0;
    for (name, gradient) in [("separator", &separator), ("prefix", &prefix)] {
        let values = prompt.vectors(name).unwrap().0;
        let mut at = |i: usize, by: f64| {
            let mut moved = values.clone();
            moved[i] += by;
            prompt.set_vectors(name, &moved).unwrap();
            prompt.gradient(&model, &task, Stream::Train, 0, 8).unwrap().0
        };
        for (i, g) in gradient.iter().enumerate() {
            let difference = (at(i, 1e-5) - at(i, -1e-5)) / 2e-5;
            assert!((difference - g).abs() < 1e-7 * loss, "{name} {i}: {difference} {g}");
        }
        prompt.set_vectors(name, &values).unwrap();
    }
    prompt.freeze("separator", true).unwrap();
    let kept = prompt.vectors("separator").unwrap();
    let mut seen = 0;
    prompt.train_with(&model, &task, 3, |_| { seen += 1; ControlFlow::Continue(()) }).unwrap();
    prompt.train(&model, &task, 5).unwrap();
    assert_eq!((seen, prompt.updates(), prompt.vectors("separator").unwrap()), (3, 5, kept));
    assert_ne!(prompt.vectors("prefix").unwrap().0, start);
    let again = Prompt::open_from(&ctx, &prompt.to_bytes().unwrap()).unwrap();
    assert_eq!(again.vectors("prefix"), prompt.vectors("prefix"));
    assert!(prompt.vectors("suffix").is_err() && prompt.set_vectors("prefix", &[1.0]).is_err());
}

#[test]
fn hooks_log_and_poll() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (to, polls, drops) = (lines.clone(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (seen, noted) = (polls.clone(), Noted(drops.clone()));
    let hooks = Hooks::new().log(move |line| to.lock().unwrap().push(line.to_string())).poll(move || {
        let _ = &noted;
        match seen.fetch_add(1, SeqCst) {
            0..=2 => ControlFlow::Continue(()),
            3 => ControlFlow::Break(()),
            _ => panic!("enough"),
        }
    });
    let ctx = Context::with_hooks(&[("threads", "1")], hooks).unwrap();
    assert!(lines.lock().unwrap()[0].starts_with("context: isa"));
    let (model, task) = small(&ctx, "linear(heads=1,key=5,init_sd=0.3)");
    let mut trainer = Trainer::new(model, task, &[("batch", "8")]).unwrap();
    assert_eq!(trainer.run(1 << 40), Ok(Status::Stopped));
    assert_eq!(polls.load(SeqCst), 4);
    let thrown = catch_unwind(AssertUnwindSafe(|| trainer.run(1 << 40))).unwrap_err();
    assert_eq!(thrown.downcast_ref::<&str>(), Some(&"enough"));
    drop(ctx);
    assert_eq!(drops.load(SeqCst), 0);                   // the trainer is of that context
    drop(trainer);
    assert_eq!(drops.load(SeqCst), 1);
    let noted = Noted(drops.clone());
    assert!(Context::with_hooks(&[("threads", "-1")], Hooks::new().log(move |_| { let _ = &noted; })).is_err());
    assert_eq!(drops.load(SeqCst), 2);
    let said = catch_unwind(|| Context::with_hooks(&[], Hooks::new().log(|_| panic!("log"))).is_ok());
    assert_eq!(said.unwrap_err().downcast_ref::<&str>(), Some(&"log"));
}

#[test]
fn bytes_are_those_of_files() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::new(std::io::ErrorKind::Other, "no more room"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let ctx = Context::new(&[]).unwrap();
    let (mut model, task) = small(&ctx, "linear(heads=1,key=5,init_sd=0.3)");
    model.set_note("made", Some("here")).unwrap();
    let mut trainer = Trainer::new(model, task, &[("batch", "8")]).unwrap();
    trainer.run(3).unwrap();
    let path = std::env::temp_dir().join(format!("mesaopt-rust-{}", std::process::id()));
    let path = path.to_str().unwrap();
    trainer.save(path).unwrap();
    let bytes = trainer.to_bytes().unwrap();
    assert_eq!(bytes, std::fs::read(path).unwrap());
    assert_eq!((file_note(&ctx, path, "made"), file_note(&ctx, path, "none")), (Ok(Some("here".into())), Ok(None)));
    assert_eq!((note_of(&ctx, &bytes, "made"), note_of(&ctx, &bytes, "none")), (Ok(Some("here".into())), Ok(None)));
    std::fs::remove_file(path).unwrap();
    assert!(matches!(file_note(&ctx, path, "made"), Err(Error::Io(_))));
    trainer.run(6).unwrap();
    let six = trainer.model().parameter::<f64>("blocks.0.key").unwrap().0.to_vec();
    trainer.load_from(&bytes, "").unwrap();
    assert_eq!(trainer.steps(), 3);
    trainer.run(6).unwrap();
    assert_eq!(trainer.model().parameter::<f64>("blocks.0.key").unwrap().0, six);
    trainer.set_parameters("blocks.0.key", 0.0, sys::MESAOPT_DECAY_STANDARD).unwrap();
    assert!(trainer.step().unwrap() > 0.0);
    assert_eq!(trainer.model().parameter::<f64>("blocks.0.key").unwrap().0, six);
    assert_eq!(trainer.save_to(&mut Full), Err(Error::Io("no more room".into())));

    let (mut model, _) = trainer.into_parts();
    let mut again = Model::open_from(&ctx, &model.to_bytes().unwrap()).unwrap();
    assert_eq!(again.text(), model.text());
    again.parameter_mut::<f64>("blocks.0.key").unwrap().0.fill(0.0);
    again.load_from(&bytes).unwrap();
    assert!(matches!(again.load_from(b"no such file"), Err(Error::Format(_))));
    let weights: Vec<_> = model.parameters().into_iter().map(|n| (n.clone(), model.parameter::<f64>(&n).unwrap())).collect();
    let weights: Vec<_> = weights.iter().map(|(n, (w, shape))| (n.as_str(), View::new(w, shape).unwrap())).collect();
    let shape = [("inputs", "16"), ("outputs", "4"), ("dtype", "f64")];
    let copy = Model::import(&ctx, &shape, &model.text(), &weights).unwrap();
    assert_eq!(copy.parameter::<f64>("blocks.0.key").unwrap().0, six);
    assert!(Model::import(&ctx, &shape, &model.text(), &weights[1..]).is_err());

    let plan = Solver::new(&ctx, 2, 1, &[]).unwrap();
    let mut r = Regression::new(&plan).unwrap();
    r.update(&[1.0, 2.0, 3.0, 5.0], &[1.0, 0.0], None).unwrap();
    let mut s = Regression::open_from(&plan, &r.to_bytes().unwrap()).unwrap();
    let (mut a, mut b) = ([0.0], [1.0]);
    r.predict(&[1.0, 1.0], &mut a, None).unwrap();
    s.predict(&[1.0, 1.0], &mut b, None).unwrap();
    assert_eq!(a, b);
    s.clear().unwrap();
    s.predict(&[1.0, 1.0], &mut b, None).unwrap();
    assert_eq!(b, [0.0]);
}

#[test]
fn own_sequences_are_kept_without_a_copy() {
    let ctx = Context::new(&[]).unwrap();
    let data = noise(5 * 13 * 4, 3);
    let mut task = Task::of(&ctx, &[], data.clone(), [5, 13, 4]).unwrap();
    assert_eq!(task.shape(), Ok([4, 12, 16, 5]));
    let mut x = vec![0.0; 2 * 13 * 4];
    task.draw(Stream::Test, 3, ViewMut::new(&mut x, &[2, 13, 4]).unwrap()).unwrap();
    assert_eq!(x, data[3 * 52..]);
    task.set_weights(View::new(&[1.0; 12], &[12]).unwrap()).unwrap();
    let rows = Task::of_rows(&ctx, &[], vec![data[..52].to_vec(), data[..20].to_vec()], 4).unwrap();
    assert_eq!(rows.shape().unwrap()[3], 2);
    let pair = |by: f64| (0..16).map(|i| i as f64 + by).collect::<Vec<f64>>();
    let mut pairs = Task::of_pairs(&ctx, &[("tokens", "raw")], pair(0.0), pair(0.5), [2, 2, 4]).unwrap();
    let mut x = vec![0.0; 16];
    pairs.draw(Stream::Test, 1, ViewMut::new(&mut x, &[1, 4, 4]).unwrap()).unwrap();
    assert_eq!((x[0], x[4], x[8], x[12]), (8.0, 8.5, 12.0, 12.5));       // input, output, input, output
    assert!(matches!(Task::of(&ctx, &[], vec![0i64; 52], [1, 13, 4]), Err(Error::Dtype(_))));
    assert!(Task::of(&ctx, &[], vec![0.0f64; 51], [1, 13, 4]).is_err());
}

#[test]
fn a_closure_is_not_entered_twice() {
    let ctx = Context::new(&[]).unwrap();
    let inner: Arc<Mutex<Option<(Model, Task)>>> = Arc::default();
    let own = inner.clone();
    let task = Task::from_fn(&ctx, &SMALL, move |_, _, _| {
        let held = own.lock().unwrap();
        let (model, task) = held.as_ref().unwrap();
        let again = model.evaluate(task, Stream::Test, 0, 2);      // callbacks may do that, but this one would be needed for it
        panic!("{again:?}");
    }).unwrap();
    let ptr = task.as_ptr();
    *inner.lock().unwrap() = Some((small(&ctx, "linear(heads=1,key=5)").0, task));
    let mut x = [0.0f64; 52];
    let status = unsafe { sys::mesaopt_task_draw(ptr, 1, 0, ViewMut::new(&mut x, &[1, 13, 4]).unwrap().as_ptr()) };
    assert_eq!(status, sys::MESAOPT_E_SOURCE);
    let thrown = catch_unwind(|| ctx.check(status).is_ok()).unwrap_err();
    assert!(thrown.downcast_ref::<String>().unwrap().starts_with("Err(Busy("), "{thrown:?}");
    drop(inner.lock().unwrap_or_else(|e| e.into_inner()).take());       // the circle of task and closure
}

#[test]
fn backward_passes_are_differences() {
    let ctx = Context::new(&[]).unwrap();
    let shape = [1, 5, 1, 3];
    let mut x: Vec<_> = (0..4).map(|i| noise(15, 10 + i)).collect();
    let mut plan = Solver::new(&ctx, 3, 3, &[]).unwrap();
    let mut g = [vec![0.0; 15], vec![0.0; 15], vec![0.0; 15]];
    {
        let [a, b, c] = &mut g;
        let v: Vec<_> = x.iter().map(|x| View::new(x, &shape).unwrap()).collect();
        plan.adjoint(v[0], v[1], v[2], v[3], ViewMut::new(a, &shape).unwrap(), ViewMut::new(b, &shape).unwrap(), ViewMut::new(c, &shape).unwrap(), &[], &mut []).unwrap();
    }
    let mut scalar = |x: &[Vec<f64>]| {
        let mut out = vec![0.0; 15];
        let v: Vec<_> = x.iter().map(|x| View::new(x, &shape).unwrap()).collect();
        plan.forward(v[0], v[1], v[2], ViewMut::new(&mut out, &shape).unwrap(), &[], &mut []).unwrap();
        out.iter().zip(&x[3]).map(|(a, b)| a * b).sum::<f64>()
    };
    for (which, i) in [(0, 4), (1, 7), (2, 2), (1, 14)] {
        let at = x[which][i];
        x[which][i] = at + 1e-5;
        let above = scalar(&x);
        x[which][i] = at - 1e-5;
        let difference = (above - scalar(&x)) / 2e-5;
        x[which][i] = at;
        assert!((difference - g[which][i]).abs() < 1e-8, "{which} {i}: {difference} {}", g[which][i]);
    }
}
