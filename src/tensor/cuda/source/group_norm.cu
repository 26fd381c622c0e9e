// Group norm, swish and dropout of values, or of values and tangents (`dx` and what belongs to it are null without one).
//
// n = r (x - m x), r = 1 / sqrt(m (x - m x)^2 + epsilon), n' = r (x' - m x' - n m(n x')); u = scale n + bias, u' = scale n';
// y = f(u), y' = f'(u) u'; both times the mask. m is the mean over a group. The backward pass is that of `cpu::group_norm_jvp`.

// What is known of numbers x and their tangents x': how many, the means, and the sums of (x - mean)^2 and of (x - mean)(x' - mean').
struct moments {
  float count, mean, square, tangent, product;
};

// Both sets of numbers together.
// Reference: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
DEVICE void merge(struct moments *a, struct moments b) {
  float count = a->count + b.count;
  if (b.count == 0.0f) return;
  float share = b.count / count, weight = a->count * share;
  float step = b.mean - a->mean, tangent = b.tangent - a->tangent;
  a->square += b.square + step * step * weight;
  a->product += b.product + step * tangent * weight;
  a->mean += step * share;
  a->tangent += tangent * share;
  a->count = count;
}

// f(u), f'(u) and f''(u) of swish, or of the identity.
struct activation {
  float value, slope, curvature;
};

DEVICE struct activation activation_of(float u, int swish) {
  struct activation f = {u, 1.0f, 0.0f};
  if (swish) {
    float s = sigmoid_of(u), slope = s * (1.0f - s);
    f.value = u * s;
    f.slope = s + u * slope;
    f.curvature = slope * (2.0f + u * (1.0f - 2.0f * s));
  }
  return f;
}

// The numbers of a group: its mean, r, m x' and m(n x').
#define STATISTICS 4
// What the backward pass has of a group, see `norm_back_means`.
#define BACK 5

// part[(row, slab), c] = mean, square, tangent, product of the slab's positions, in one pass: sums about a thread's first number.
KERNEL norm_slabs(float *part, const float *x, const float *dx, int positions, int channels, int slabs, int slab) {
  SHARED float sums[STATISTICS][THREADS];
  int row = BLOCK / slabs, first = BLOCK % slabs * slab;
  int end = first + slab < positions ? first + slab : positions;
  int width = WIDTH(channels), lanes = LANES(channels);
  for (int before = 0; before < channels; before += width) {
    PHASE {
      int lane = thread / width, c = before + thread % width;
      if (lane < lanes && c < channels && first + lane < end) {
        index start = (index)row * positions * channels + c;
        float origin = x[start + (index)(first + lane) * channels];
        float tangent = dx ? dx[start + (index)(first + lane) * channels] : 0.0f;
        float s = 0.0f, square = 0.0f, ds = 0.0f, product = 0.0f, count = 0.0f;
        for (int p = first + lane; p < end; p += lanes) {
          float a = x[start + (index)p * channels] - origin;
          float b = dx ? dx[start + (index)p * channels] - tangent : 0.0f;
          s += a;
          square += a * a;
          ds += b;
          product += a * b;
          count += 1.0f;
        }
        sums[0][thread] = origin + s / count;
        sums[1][thread] = square - s * s / count;
        sums[2][thread] = tangent + ds / count;
        sums[3][thread] = product - s * ds / count;
      }
    }
    PHASE {
      int c = before + thread;
      if (thread < width && c < channels) {
        struct moments all = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
        for (int lane = 0; lane < lanes && first + lane < end; ++lane) {
          int at = lane * width + thread;
          struct moments own = {(float)((end - first - lane + lanes - 1) / lanes), sums[0][at], sums[1][at], sums[2][at], sums[3][at]};
          merge(&all, own);
        }
        float *to = part + ((index)BLOCK * channels + c) * STATISTICS;
        to[0] = all.mean;
        to[1] = all.square;
        to[2] = all.tangent;
        to[3] = all.product;
      }
    }
  }
}

// A block a row: the slabs of each channel together, in the place of the first, then the channels of each group.
KERNEL norm_statistics(float *statistics, float *part, int positions, int channels, int slabs, int slab, int groups, float epsilon) {
  float *own = part + (index)BLOCK * slabs * channels * STATISTICS;
  PHASE {
    for (int c = thread; c < channels; c += THREADS) {
      struct moments all = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
      for (int s = 0; s < slabs; ++s) {
        const float *at = own + ((index)s * channels + c) * STATISTICS;
        int rest = positions - s * slab;
        struct moments slab_of = {(float)(rest < slab ? rest : slab), at[0], at[1], at[2], at[3]};
        merge(&all, slab_of);
      }
      float *to = own + (index)c * STATISTICS;
      to[0] = all.mean;
      to[1] = all.square;
      to[2] = all.tangent;
      to[3] = all.product;
    }
  }
  PHASE {
    int width = channels / groups;
    for (int g = thread; g < groups; g += THREADS) {
      struct moments all = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
      for (int c = g * width; c < (g + 1) * width; ++c) {
        const float *at = own + (index)c * STATISTICS;
        struct moments channel = {(float)positions, at[0], at[1], at[2], at[3]};
        merge(&all, channel);
      }
      float *to = statistics + ((index)BLOCK * groups + g) * STATISTICS;
      float r = 1.0f / sqrtf(all.square / all.count + epsilon);
      to[0] = all.mean;
      to[1] = r;
      to[2] = all.tangent;
      to[3] = r * all.product / all.count;
    }
  }
}

// y and y' of images of `image` numbers, `shares` blocks each; `first` is the element of x[0] in the whole tensor, for the mask.
KERNEL norm_apply(float *y, float *dy, const float *x, const float *dx, const float *statistics, const float *scale, const float *bias,
                  int image, int shares, int channels, int groups, int swish, bits key, bits threshold, float kept, index first) {
  int row = BLOCK / shares, width = channels / groups;
  index start = (index)row * image;
  PHASE {
    ELEMENTS(BLOCK % shares, image) {
      int c = (int)i % channels;
      const float *own = statistics + ((index)row * groups + c / width) * STATISTICS;
      float n = (x[start + i] - own[0]) * own[1];
      struct activation f = activation_of(n * scale[c] + bias[c], swish);
      float factor = dropout_factor(key, threshold, kept, first + start + i);
      y[start + i] = f.value * factor;
      if (dx) dy[start + i] = f.slope * scale[c] * own[1] * (dx[start + i] - own[2] - n * own[3]) * factor;
    }
  }
}

// What the backward pass needs of one number.
struct normed {
  float n, dn, gu, gdu;
};

DEVICE struct normed normed_back(float x, float dx, float gy, float gdy, const float *own, float scale, float bias, int swish) {
  struct normed to;
  to.n = (x - own[0]) * own[1];
  to.dn = own[1] * (dx - own[2] - to.n * own[3]);
  struct activation f = activation_of(to.n * scale + bias, swish);
  to.gu = gy * f.slope + gdy * f.curvature * scale * to.dn;
  to.gdu = gdy * f.slope;
  return to;
}

// part[(row, slab), c] = the sums over the slab's positions of gu, gu n, gu', gu' n and gu' n'.
KERNEL norm_back_slabs(float *part, const float *x, const float *dx, const float *gy, const float *gdy, const float *statistics,
                       const float *scale, const float *bias, int positions, int channels, int slabs, int slab, int groups, int swish,
                       bits key, bits threshold, float kept, index from) {
  SHARED float sums[BACK][THREADS];
  int row = BLOCK / slabs, first = BLOCK % slabs * slab;
  int end = first + slab < positions ? first + slab : positions;
  int width = WIDTH(channels), lanes = LANES(channels);
  for (int before = 0; before < channels; before += width) {
    PHASE {
      int lane = thread / width, c = before + thread % width;
      float own_sums[BACK] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
      if (lane < lanes && c < channels) {
        const float *own = statistics + ((index)row * groups + c / (channels / groups)) * STATISTICS;
        for (int p = first + lane; p < end; p += lanes) {
          index at = ((index)row * positions + p) * channels + c;
          float factor = dropout_factor(key, threshold, kept, from + at);
          struct normed of = normed_back(x[at], dx ? dx[at] : 0.0f, gy[at] * factor, dx ? gdy[at] * factor : 0.0f, own,
                                         scale[c], bias[c], swish);
          own_sums[0] += of.gu;
          own_sums[1] += of.gu * of.n;
          own_sums[2] += of.gdu;
          own_sums[3] += of.gdu * of.n;
          own_sums[4] += of.gdu * of.dn;
        }
      }
      UNROLL for (int j = 0; j < BACK; ++j) sums[j][thread] = own_sums[j];
    }
    PHASE {
      int c = before + thread;
      if (thread < width && c < channels) {
        float *to = part + ((index)BLOCK * channels + c) * BACK;
        UNROLL for (int j = 0; j < BACK; ++j) {
          float sum = sums[j][thread];
          for (int lane = 1; lane < lanes; ++lane) sum += sums[j][lane * width + thread];
          to[j] = sum;
        }
      }
    }
  }
}

// A block a row: the slabs of each channel together, in the place of the first; then of each group, with gn = scale gu:
// h = m(b) and h n = m(b n) of b = gn - r m(n x') gn' - r m(gn' n) x', then m gn', m(gn' n), m(gn' n').
KERNEL norm_back_means(float *back, float *part, const float *statistics, const float *scale, int positions, int channels, int slabs,
                       int groups) {
  float *own = part + (index)BLOCK * slabs * channels * BACK;
  PHASE {
    for (int c = thread; c < channels; c += THREADS) {
      for (int j = 0; j < BACK; ++j) {
        float sum = 0.0f;
        for (int s = 0; s < slabs; ++s) sum += own[((index)s * channels + c) * BACK + j];
        own[(index)c * BACK + j] = sum;
      }
    }
  }
  PHASE {
    int width = channels / groups;
    float count = (float)positions * (float)width;
    for (int g = thread; g < groups; g += THREADS) {
      float means[BACK] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
      for (int c = g * width; c < (g + 1) * width; ++c) {
        for (int j = 0; j < BACK; ++j) means[j] += scale[c] * own[(index)c * BACK + j];
      }
      const float *of = statistics + ((index)BLOCK * groups + g) * STATISTICS;
      float *to = back + ((index)BLOCK * groups + g) * BACK;
      float t = means[2] / count, t_n = means[3] / count;
      to[0] = means[0] / count - of[1] * (of[3] * t + t_n * of[2]);
      to[1] = means[1] / count - 2.0f * of[1] * of[3] * t_n;
      to[2] = t;
      to[3] = t_n;
      to[4] = means[4] / count;
    }
  }
}

// Adds to gx and gx'.
KERNEL norm_back_apply(float *gx, float *gdx, const float *x, const float *dx, const float *gy, const float *gdy,
                       const float *statistics, const float *back, const float *scale, const float *bias, int image, int shares,
                       int channels, int groups, int swish, bits key, bits threshold, float kept, index first) {
  int row = BLOCK / shares, width = channels / groups;
  index start = (index)row * image;
  PHASE {
    ELEMENTS(BLOCK % shares, image) {
      int c = (int)i % channels;
      index at = start + i, group = (index)row * groups + c / width;
      const float *own = statistics + group * STATISTICS, *means = back + group * BACK;
      float factor = dropout_factor(key, threshold, kept, first + at), tangent = dx ? dx[at] : 0.0f;
      struct normed of = normed_back(x[at], tangent, gy[at] * factor, dx ? gdy[at] * factor : 0.0f, own, scale[c], bias[c], swish);
      float gn = scale[c] * of.gu, gdn = scale[c] * of.gdu;
      if (dx) {
        gn -= own[1] * (own[3] * gdn + means[3] * tangent);
        gdx[at] += own[1] * (gdn - means[2] - of.n * means[3]);
      }
      gx[at] += own[1] * (gn - means[0] - of.n * (means[1] + means[4]));
    }
  }
}

// Adds the rows' gradients of scale and bias, which lie where the first slab of each row does, in the order of the rows.
KERNEL norm_back_parameters(float *gscale, float *gbias, const float *part, int rows, int channels, int slabs) {
  PHASE {
    int c = BLOCK * THREADS + thread;
    if (c < channels) {
      float scale = 0.0f, bias = 0.0f;
      for (int row = 0; row < rows; ++row) {
        const float *own = part + ((index)row * slabs * channels + c) * BACK;
        scale += own[1] + own[4];
        bias += own[0];
      }
      // One after the other: both may be the gradient of one tensor.
      gscale[c] += scale;
      gbias[c] += bias;
    }
  }
}
