//! A network without its type: one `Model` for all plans of a crate.
//!
//! A model, its data and its optimizer are generic over the network. For some hundred networks in a crate that would be
//! most of what rustc compiles, and none of it is what is tested. So all of them run as [`Erased`], whose plan is the one
//! that [`with_plan`] holds.

use kiln::__private::plan::Plan;
use kiln::__private::{Feed, PortValues, Receive};
use kiln::{Error, Network};
use std::cell::Cell;

thread_local! {
    static PLAN: Cell<Option<&'static Plan>> = const { Cell::new(None) };
}

/// While `work` runs, [`Erased`] is the network of this plan. Models made in it are used in it only.
pub fn with_plan<T>(plan: &'static Plan, work: impl FnOnce() -> T) -> T {
    /// Puts the plan before back, also where `work` panics.
    struct Before(Option<&'static Plan>);
    impl Drop for Before {
        fn drop(&mut self) {
            PLAN.set(self.0);
        }
    }
    let _before = Before(PLAN.replace(Some(plan)));
    work()
}

/// The network of the plan in use.
#[derive(Clone, Copy, Debug)]
pub struct Erased;

// SAFETY: a model is made and used within `with_plan`, of the one plan that `network!` made for it.
unsafe impl Network for Erased {
    type Inputs = Ports;
    type Targets = Ports;
    type Outputs = Outputs;
    const NAME: &'static str = "Erased";
    const PARAMETERS: usize = 0;
    const FORWARD_FLOPS: u64 = 0;

    fn plan() -> &'static Plan {
        PLAN.get().expect("used within `with_plan`")
    }
}

/// Values of one port, of all samples.
#[derive(Clone, Debug)]
pub enum Port {
    /// And how many make a sample.
    Floats(Vec<f32>, usize),
    Numbers(Vec<i32>, usize),
}

/// What feeds a network.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    pub samples: usize,
    pub list: Vec<Port>,
}

impl Feed for Ports {
    fn empty() -> Self {
        Ports::default()
    }

    fn len(&self) -> usize {
        self.samples
    }

    fn gather_into(&self, rows: &[usize], out: &mut Self) {
        out.samples = rows.len();
        out.list = self.list.iter().map(|port| port.gathered(rows)).collect();
    }

    fn each_port<'a>(&'a self, f: &mut dyn FnMut(PortValues<'a>)) {
        for port in &self.list {
            match port {
                Port::Floats(values, _) => f(PortValues::Floats(values)),
                Port::Numbers(values, _) => f(PortValues::Integers(values)),
            }
        }
    }

    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Port {
    fn gathered(&self, rows: &[usize]) -> Port {
        fn gather<T: Copy>(values: &[T], each: usize, rows: &[usize]) -> Vec<T> {
            rows.iter().flat_map(|row| values[row * each..(row + 1) * each].iter().copied()).collect()
        }
        match self {
            Port::Floats(values, each) => Port::Floats(gather(values, *each, rows), *each),
            Port::Numbers(values, each) => Port::Numbers(gather(values, *each, rows), *each),
        }
    }
}

/// What a network returns, by output.
#[derive(Clone, Debug, Default)]
pub struct Outputs(pub Vec<Vec<f32>>);

impl Receive for Outputs {
    fn from_buffers(_samples: usize, buffers: Vec<Vec<f32>>) -> Self {
        Outputs(buffers)
    }

    fn buffers(&mut self, f: &mut dyn FnMut(&mut Vec<f32>)) {
        self.0.iter_mut().for_each(f);
    }
}
