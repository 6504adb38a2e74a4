//! What the safe crate promises beyond the C library's own tests.
use mesaopt::*;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};

const SMALL: [(&str, &str); 3] = [("dim", "4"), ("length", "12"), ("tokens", "constructed")];

fn small(ctx: &Context) -> (Model, Task) {
    let mut model = Model::new(ctx, &[("inputs", "16"), ("outputs", "4"), ("dtype", "f64")]).unwrap();
    model.add_text("mask(first=8); linear(heads=1,key=5)").unwrap();
    (model, Task::new(ctx, &SMALL).unwrap())
}

#[test]
fn errors_have_kind_and_text() {
    let ctx = Context::new(&[]).unwrap();
    let e = Task::new(&ctx, &[("dim", "0")]).err().unwrap();
    assert!(matches!(&e, Error::Setting(t) if t.starts_with("dim: 0, expected")), "{e:?}");
    let mut model = Model::new(&ctx, &[]).unwrap();
    assert!(matches!(model.add_text("cube()"), Err(Error::Format(_))));
    assert!(matches!(Model::open(&ctx, "/none/such"), Err(Error::Io(_))));
    assert!(matches!(model.add_text("a\0b"), Err(Error::Argument(_))));
}

#[test]
fn views_stay_inside_their_slices() {
    let x = [0.0f64; 24];
    assert!(View::new(&x, &[2, 3, 4]).is_ok() && View::new(&x, &[2, 3]).is_err() && View::new(&x, &[1; 7]).is_err());
    assert!(View::strided(&x, 23, &[24], &[-1]).is_ok() && View::strided(&x, 22, &[24], &[-1]).is_err());
    assert!(View::strided(&x, 0, &[2, 3], &[12, 6]).is_err() && View::strided(&x, 0, &[2, 2], &[12, 11]).is_ok());
    assert!(View::strided(&x, 99, &[0, usize::MAX], &[1, isize::MAX]).is_err());        // no i64 holds it
    let ctx = Context::new(&[]).unwrap();
    let (_, mut task) = small(&ctx);
    let mut out = [0.0f64; 2 * 13 * 4];
    task.draw(Stream::Test, 0, ViewMut::new(&mut out, &[2, 13, 4]).unwrap()).unwrap();
    assert!(out.iter().all(|x| x.is_finite()) && out[0] != 0.0);
    assert!(matches!(task.draw(Stream::Test, 0, ViewMut::new(&mut out, &[2, 4, 13]).unwrap()), Err(Error::Shape(_))));
}

#[test]
fn training_calls_back_stops_and_panics() {
    let ctx = Context::new(&[]).unwrap();
    let (model, task) = small(&ctx);
    let mut trainer = Trainer::new(model, task, &[("batch", "8")]).unwrap();
    let mut seen = Vec::new();
    let status = trainer.run_with(9, |s, model| {
        seen.push((s.step, model.parameter::<f64>("blocks.1.key").unwrap().0[0]));
        if s.step == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(status, Ok(Status::Stopped));
    assert!(seen.len() == 3 && seen[0].1 != seen[2].1);
    let thrown = catch_unwind(AssertUnwindSafe(|| trainer.run_with(9, |_, _| panic!("mine")))).unwrap_err();
    assert_eq!(thrown.downcast_ref::<&str>(), Some(&"mine"));
    assert_eq!(trainer.steps(), 4);
    trainer.run(9).unwrap();
    let (mut model, _) = trainer.into_parts();
    model.parameter_mut::<f64>("blocks.1.key").unwrap().0.fill(0.0);
    assert!(model.parameter::<f32>("blocks.1.key").is_err() && model.parameter::<f64>("none").is_err());
}

struct Noted(std::sync::Arc<std::sync::atomic::AtomicUsize>);
impl Drop for Noted {
    fn drop(&mut self) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn closures_go_once_with_their_last_user() {
    let ctx = Context::new(&[]).unwrap();
    let (model, _) = small(&ctx);
    let drops = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let gone = || drops.load(std::sync::atomic::Ordering::SeqCst);
    let noted = Noted(drops.clone());
    let task = Task::from_fn(&ctx, &SMALL, move |_, _, _| { let _ = &noted; }).unwrap();
    let trainer = Trainer::new(model, task, &[]).unwrap();
    let (_, task) = trainer.into_parts();
    assert_eq!(gone(), 0);
    drop(task);
    assert_eq!(gone(), 1);
    let noted = Noted(drops.clone());
    let endless = [("dim", "1048576"), ("length", "16777216"), ("tokens", "slots"), ("slots", "1048576")];       // the library refuses it
    assert!(Task::from_fn(&ctx, &endless, move |_, _, _| { let _ = &noted; }).is_err());
    assert_eq!(gone(), 2);
}

#[test]
fn own_sequences_and_their_panics() {
    let ctx = Context::new(&[]).unwrap();
    let (model, _) = small(&ctx);
    let wave = |_: Stream, first: i64, mut out: Batch<'_>| {
        let [sequences, steps, n] = out.shape();
        for (s, t, j) in (0..sequences).flat_map(|s| (0..steps).flat_map(move |t| (0..n).map(move |j| (s, t, j)))) {
            out.set(s, t, j, (first as f64 + (s + t * j) as f64).sin());
        }
    };
    let task = Task::from_fn(&ctx, &SMALL, wave).unwrap();
    assert!(model.evaluate(&task, Stream::Test, 0, 8).unwrap().0 > 0.0);
    let mut trainer = Trainer::new(model, task, &[("batch", "8")]).unwrap();
    trainer.run(3).unwrap();
    let mut x = [0.0f64; 52];
    let mut which = Task::from_fn(&ctx, &SMALL, |stream, first, mut out| {
        (0..52).for_each(|i| out.set(0, i / 4, i % 4, stream as i32 as f64 * 100.0 + first as f64))
    }).unwrap();
    for (stream, said) in [(Stream::Train, 7.0), (Stream::Test, 107.0), (Stream::Search, 207.0)] {
        which.draw(stream, 7, ViewMut::new(&mut x, &[1, 13, 4]).unwrap()).unwrap();
        assert_eq!(x[51], said);
    }
    let mut bad = Task::from_fn(&ctx, &SMALL, |_, _, _| panic!("no data")).unwrap();
    let thrown = catch_unwind(AssertUnwindSafe(|| bad.draw(Stream::Test, 0, ViewMut::new(&mut x, &[1, 13, 4]).unwrap()))).unwrap_err();
    assert_eq!(thrown.downcast_ref::<&str>(), Some(&"no data"));
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn a_panic_when_a_closure_goes_is_of_no_other_call() {
    let ctx = Context::new(&[]).unwrap();
    let (model, task) = small(&ctx);
    let bomb = Bomb;
    drop(Task::from_fn(&ctx, &SMALL, move |_, _, _| {
        let _ = &bomb;
    }).unwrap());
    assert!(model.evaluate(&task, Stream::Test, 0, 8).is_ok());
}

#[test]
fn handles_go_to_other_threads() {
    let ctx = Context::new(&[]).unwrap();
    let (model, task) = small(&ctx);
    let mut trainer = Trainer::new(model, task, &[("batch", "8")]).unwrap();
    let steps = std::thread::spawn(move || {
        trainer.run(3).unwrap();
        trainer.steps()
    });
    assert_eq!(steps.join().unwrap(), 3);
    let (model, task) = small(&ctx);
    let mut trainer = Trainer::new(model, task, &[("batch", "8")]).unwrap();
    let stopper = ctx.clone();
    let run = std::thread::spawn(move || trainer.run(1 << 40));
    std::thread::sleep(std::time::Duration::from_millis(50));
    stopper.interrupt();
    assert_eq!(run.join().unwrap(), Ok(Status::Stopped));
}

#[test]
fn regression_and_solver_agree() {
    let ctx = Context::new(&[]).unwrap();
    let mut plan = Solver::new(&ctx, 2, 1, &[("ridge", "0.5")]).unwrap();
    let keys: Vec<f64> = (0..20).map(|i| ((i * 7 % 11) as f64 - 5.0) / 3.0).collect();
    let values: Vec<f64> = (0..10).map(|i| 2.0 * keys[2 * i] - keys[2 * i + 1]).collect();
    let mut out = [0.0; 10];
    let mut h_last = [0.0; 4];
    {
        let (k, v) = (View::new(&keys, &[1, 10, 1, 2]).unwrap(), View::new(&values, &[1, 10, 1, 1]).unwrap());
        let mut more = [(sys::MESAOPT_LSQ_H_LAST, ViewMut::new(&mut h_last, &[1, 1, 2, 2]).unwrap())];
        plan.forward(k, k, v, ViewMut::new(&mut out, &[1, 10, 1, 1]).unwrap(), &[], &mut more).unwrap();
    }
    let mut halves: Vec<Regression> = (0..2).map(|_| Regression::new(&plan).unwrap()).collect();
    halves[0].update(&keys[..10], &values[..5], None).unwrap();
    halves[1].update(&keys[10..], &values[5..], None).unwrap();
    let mut second = halves.pop().unwrap();
    halves[0].merge(&mut second).unwrap();
    let mut p = [0.0];
    halves[0].predict(&keys[18..], &mut p, None).unwrap();
    assert!((p[0] - out[9]).abs() < 1e-12 && (h_last[0] - keys.iter().step_by(2).map(|k| k * k).sum::<f64>()).abs() < 1e-12);
    assert!(matches!(halves[0].update(&keys[..3], &values[..1], None), Err(Error::Shape(_))));
}
