// The same numbers in another order, for a convolution that wants its weight by outputs and its images in one piece.

// to[c, r] (+)= from[r, c], of `count` numbers in so many rows and columns of `from`.
KERNEL transposed(float *to, const float *from, index count, int rows, int columns, int add) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      float x = from[i % rows * columns + i / rows];
      to[i] = add ? to[i] + x : x;
    }
  }
}

// to[position, before + c] = from[position, c]; `to` has `total` channels, and `from` has `count` numbers of `channels`.
KERNEL joined(float *to, const float *from, index count, int channels, int total, int before) {
  PHASE {
    ELEMENTS(BLOCK, count) to[i / channels * total + before + i % channels] = from[i];
  }
}

// Its transpose: to[position, c] (+)= from[position, before + c]; `to` has `count` numbers.
KERNEL split(float *to, const float *from, index count, int channels, int total, int before, int add) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      float x = from[i / channels * total + before + i % channels];
      to[i] = add ? to[i] + x : x;
    }
  }
}
