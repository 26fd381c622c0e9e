// A U-Net for grey images on images with three channels.
use dfdx::prelude::{Const, Cpu, Tensor};
use idode::nn::{Network, Pass, StaticUNet};
use idode::tensor::ImageBatch;

type Grey = StaticUNet<8, 8, 1, 32, f32, Cpu>;
type Coloured = Tensor<ImageBatch<Const<8>, Const<8>, Const<3>>, f32, Cpu>;

fn main() {
    let apply = |network: &Grey, images: Coloured| network.forward(images, &mut Pass::eval(&[0.5]));
}
