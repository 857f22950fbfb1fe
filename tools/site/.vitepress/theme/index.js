import DefaultTheme from 'vitepress/theme-without-fonts';
import Explorer from './Explorer.vue';
import MovingPicture from './MovingPicture.vue';
import './site.css';

export default {
  extends: DefaultTheme,
  enhanceApp({ app }) {
    app.component('Explorer', Explorer);
    app.component('MovingPicture', MovingPicture);
  },
};
