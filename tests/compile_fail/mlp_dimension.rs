// An MLP for points of the plane on points of space.
use dfdx::prelude::{Const, Cpu, Tensor};
use idode::nn::{Network, Pass, StaticMlp};

type Plane = StaticMlp<2, 32, f32, Cpu>;
type Space = Tensor<(usize, Const<3>), f32, Cpu>;

fn main() {
    let apply = |network: &Plane, points: Space| network.forward(points, &mut Pass::eval(&[0.5]));
}
