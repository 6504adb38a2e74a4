//! The program of examples/tour.c from Rust: a layer of linear attention is trained, its step size read off, and a
//! regression streamed. Prints the same, to the bit.
use mesaopt::{Context, Error, Model, Regression, RevAlg, Solver, Task, Trainer};

fn say(what: &str, x: f64) {
    println!("{what:22} {x:9.6}  {:016x}", x.to_bits());
}

fn main() -> Result<(), Error> {
    let ctx = Context::new(&[])?;
    let mut model = Model::new(&ctx, &[])?;
    model.add_text("mask(first=20); linear(heads=2,key=20,residual_clip=4)")?;
    let mut trainer = Trainer::new(model, Task::new(&ctx, &[])?, &[("lr", "0.003"), ("batch", "64")])?;
    trainer.run(200)?;
    say("loss after 200 steps", trainer.evaluate(256)?.0);
    let form = RevAlg::extract(trainer.model())?.closed_form(2)?;
    say("eta", form[0].eta * form[0].p1 + form[1].eta * form[1].p1);

    let mut regression = Regression::new(&Solver::new(&ctx, 2, 1, &[])?)?;
    for t in 0..100 {
        let k = [(t * 37 % 101) as f64 / 101.0 - 0.5, (t * 53 % 103) as f64 / 103.0 - 0.5];
        regression.update(&k, &[2.0 * k[0] - 3.0 * k[1]], None)?;
    }
    let (mut prediction, mut error) = ([0.0], [0.0]);
    regression.predict(&[0.25, -0.5], &mut prediction, Some(&mut error))?;
    say("prediction", prediction[0]);
    say("its standard error", error[0]);
    Ok(())
}
