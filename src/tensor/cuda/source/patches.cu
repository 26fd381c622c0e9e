// The neighbours of every position side by side, for a 3x3 convolution as one product.

// p[position, tap, before + c] = x[position + tap, c], zeros outside the image; p has `total` channels a tap, and `count` of its numbers are of x,
// which has `channels`.
KERNEL patches(float *p, const float *x, index count, int height, int width, int channels, int total, int before) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      int c = (int)(i % channels);
      index patch = i / channels;
      int tap = (int)(patch % 9);
      index position = patch / 9;
      int column = (int)(position % width), line = (int)(position / width % height);
      int down = tap / 3 - 1, across = tap % 3 - 1;
      int inside = line + down >= 0 && line + down < height && column + across >= 0 && column + across < width;
      p[patch * total + before + c] = inside ? x[(position + down * width + across) * channels + c] : 0.0f;
    }
  }
}

// Its transpose: gx[position, c] (+)= the sum over taps of gp[position - tap, tap, before + c]; gx has `count` numbers.
KERNEL patches_back(float *gx, const float *gp, index count, int height, int width, int channels, int total, int before, int add) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      int c = (int)(i % channels);
      index position = i / channels;
      int column = (int)(position % width), line = (int)(position / width % height);
      float sum = add ? gx[i] : 0.0f;
      for (int tap = 0; tap < 9; ++tap) {
        int down = tap / 3 - 1, across = tap % 3 - 1;
        int inside = line - down >= 0 && line - down < height && column - across >= 0 && column - across < width;
        if (inside) sum += gp[((position - down * width - across) * 9 + tap) * total + before + c];
      }
      gx[i] = sum;
    }
  }
}
