// One thread a number: sums, masks, and images at half and at double resolution.

// y (+)= x times the mask of a key; `first` is the element of x[0].
KERNEL masked(float *y, const float *x, index count, bits key, bits threshold, float kept, index first, int add) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      float masked = x[i] * dropout_factor(key, threshold, kept, first + i);
      y[i] = add ? y[i] + masked : masked;
    }
  }
}

// What a 1x1 convolution's product is added to: y = bias + shift of the row + residual, each of which may be absent.
KERNEL terms(float *y, const float *bias, const float *shift, const float *residual, index count, int image, int channels) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      int c = (int)(i % channels);
      float sum = residual ? residual[i] : 0.0f;
      if (bias) sum += bias[c];
      if (shift) sum += shift[i / image * channels + c];
      y[i] = sum;
    }
  }
}

// The mean of each square of 2x2 pixels; y has `count` numbers, of images of `down x across` pixels.
KERNEL pool(float *y, const float *x, index count, int down, int across, int height, int width, int channels) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      int c = (int)(i % channels);
      index pixel = i / channels;
      int column = (int)(pixel % across), line = (int)(pixel / across % down);
      index at = ((pixel / across / down * height + 2 * line) * width + 2 * column) * channels + c;
      index below = at + (index)width * channels;
      y[i] = 0.25f * ((x[at] + x[at + channels]) + (x[below] + x[below + channels]));
    }
  }
}

// Its transpose: gx += gy / 4 at the four pixels; gy has `count` numbers.
KERNEL pool_back(float *gx, const float *gy, index count, int down, int across, int height, int width, int channels) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      int c = (int)(i % channels);
      index pixel = i / channels;
      int column = (int)(pixel % across), line = (int)(pixel / across % down);
      index at = ((pixel / across / down * height + 2 * line) * width + 2 * column) * channels + c;
      index below = at + (index)width * channels;
      float share = 0.25f * gy[i];
      gx[at] += share;
      gx[at + channels] += share;
      gx[below] += share;
      gx[below + channels] += share;
    }
  }
}

// Each pixel as a square of 2x2; x has `count` numbers, of images of `width` pixels a line.
KERNEL spread(float *y, const float *x, index count, int width, int channels) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      int c = (int)(i % channels);
      index pixel = i / channels;
      index at = (pixel / width * 4 * width + pixel % width * 2) * channels + c;
      index below = at + (index)2 * width * channels;
      float value = x[i];
      y[at] = value;
      y[at + channels] = value;
      y[below] = value;
      y[below + channels] = value;
    }
  }
}

// Its transpose: gx += the sum of gy over the square.
KERNEL spread_back(float *gx, const float *gy, index count, int width, int channels) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      int c = (int)(i % channels);
      index pixel = i / channels;
      index at = (pixel / width * 4 * width + pixel % width * 2) * channels + c;
      index below = at + (index)2 * width * channels;
      gx[i] += (gy[at] + gy[at + channels]) + (gy[below] + gy[below + channels]);
    }
  }
}

// y = x s, s = sigmoid(x); of a tangent dy = dx f', f' = s + x s (1 - s).
KERNEL swish(float *y, float *dy, const float *x, const float *dx, index count) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      float s = sigmoid_of(x[i]);
      y[i] = x[i] * s;
      if (dx) dy[i] = dx[i] * (s + x[i] * s * (1.0f - s));
    }
  }
}

// Its transpose at x and dx: gx += gy f' + gdy dx f'', gdx += gdy f', f'' = s (1 - s) (2 + x (1 - 2 s)).
KERNEL swish_back(float *gx, float *gdx, const float *gy, const float *gdy, const float *x, const float *dx, index count) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      float s = sigmoid_of(x[i]), slope = s + x[i] * s * (1.0f - s);
      float g = gy[i] * slope;
      if (dx) {
        g += gdy[i] * dx[i] * s * (1.0f - s) * (2.0f + x[i] * (1.0f - 2.0f * s));
        gdx[i] += gdy[i] * slope;
      }
      gx[i] += g;
    }
  }
}
