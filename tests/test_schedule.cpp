#include <cmath>

#include "catch.h"
#include "glimpse/engine/schedule.h"
#include "glimpse/kernels/base/error.h"

using namespace glimpse;

TEST_CASE("schedule: functions of time") {
  const StepDecay step{.factor = 0.5, .every = 3};
  CHECK(step(0) == 1);
  CHECK(step(2) == 1);
  CHECK(step(3) == 0.5);
  CHECK(step(8) == 0.25);
  CHECK_THROWS_AS((StepDecay{.factor = 0.5, .every = 0}(1)), Error);

  const CosineDecay cosine{.duration = 4, .floor = 0.2};
  CHECK(cosine(0) == 1);
  CHECK(cosine(1) == Approx(0.2 + 0.8 * 0.5 * (1 + std::sqrt(0.5))));
  CHECK(cosine(2) == Approx(0.6));
  CHECK(cosine(4) == Approx(0.2));
  CHECK(cosine(100) == Approx(0.2));
  CHECK_THROWS_AS((CosineDecay{.duration = 0}(1)), Error);

  const OneCycle cycle{.duration = 10, .floor = 0.1};
  CHECK(cycle(0) == Approx(0.04));
  CHECK(cycle(1) == Approx(0.04 + 0.96 * 0.25));  // a third of the rise: (1 - cos 60 deg) / 2
  CHECK(cycle(3) == 1);
  CHECK(cycle(10) == Approx(0.1));
  CHECK(cycle(99) == Approx(0.1));
  CHECK(cycle(6) < cycle(5));
  CHECK((OneCycle{.duration = 8, .rise = 4}(2)) == Approx(0.52));
  CHECK((OneCycle{.duration = 8, .rise = 4}(6)) == Approx(0.5));
  CHECK((OneCycle{.duration = 2, .rise = 9}(1)) < 1);
  CHECK_THROWS_AS((OneCycle{.duration = 0}(1)), Error);

  const StepRise rise{.rise = 0.05, .every = 5, .limit = 0.12};
  CHECK(rise(0) == 0);
  CHECK(rise(4) == 0);
  CHECK(rise(5) == Approx(0.05));
  CHECK(rise(14) == Approx(0.1));
  CHECK(rise(15) == 0.12);
  CHECK(rise(1000) == 0.12);
  CHECK_THROWS_AS((StepRise{.every = 0}(1)), Error);

  const LinearWarmUp warm_up{.duration = 4};
  CHECK(warm_up(0) == 0.25);
  CHECK(warm_up(2) == 0.75);
  CHECK(warm_up(3) == 1);
  CHECK(warm_up(50) == 1);
  CHECK(LinearWarmUp{}(0) == 1);
}

TEST_CASE("schedule: decay on a plateau") {
  PlateauDecay plateau({.factor = 0.5, .patience = 2, .floor = 0.2});
  CHECK_FALSE(plateau.observe(-3));  // the first is the best so far, whatever its sign
  CHECK_FALSE(plateau.observe(-2));
  CHECK_FALSE(plateau.observe(-2));  // equal is stale
  const PlateauDecay::State middle = plateau.state();
  CHECK(middle.stale == 1);
  CHECK(plateau.observe(std::nan("")));
  CHECK(plateau.factor() == 0.5);
  CHECK_FALSE(plateau.observe(-2.5));
  CHECK(plateau.observe(-2.5));
  CHECK(plateau.factor() == 0.25);
  CHECK_FALSE(plateau.observe(-1));
  CHECK_FALSE(plateau.observe(-1));
  CHECK(plateau.observe(-1));
  CHECK(plateau.factor() == 0.2);

  PlateauDecay resumed({.factor = 0.5, .patience = 2, .floor = 0.2});
  resumed.set_state(middle);
  CHECK(resumed.observe(-2));
  CHECK(resumed.factor() == 0.5);

  PlateauDecay from_nan({.factor = 0.5, .patience = 1});
  CHECK_FALSE(from_nan.observe(std::nan("")));
  CHECK_FALSE(from_nan.observe(-7));
  CHECK(from_nan.observe(-8));

  CHECK_THROWS_AS(PlateauDecay({.patience = 0}), Error);
  CHECK_THROWS_AS(PlateauDecay({.factor = 0}), Error);
  CHECK_THROWS_AS(PlateauDecay({.factor = 1.5}), Error);
}
