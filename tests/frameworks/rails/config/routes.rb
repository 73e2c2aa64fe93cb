Rails.application.routes.draw do
  root 'articles#index'
  get '/news', to: 'articles#news'
  resources :articles, only: %i[show edit update create destroy] do
    resources :comments, only: %i[new create]
  end
  resource :session, only: %i[new create destroy]
  get '/account', to: 'sessions#show'
end
